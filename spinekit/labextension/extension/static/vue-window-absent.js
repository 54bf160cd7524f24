// @oeway/vue-window is no longer published; nothing that JupyterLab shows needs it, but its plugin is asked for.
window.VueWindow = { install: function () {} };
