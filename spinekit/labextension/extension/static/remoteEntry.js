// Makes the 3-D viewer of itkwidgets work with no network, without changing a file of itkwidgets.
//
// itkwidgets and its JupyterLab extension ask content networks for their scripts and show the viewer in a frame
// from a public gateway. The same files, taken from their npm packages, lie beside this one. Wherever a page sets the
// address of a script, style sheet, frame or image to one of those addresses, the address of the local file is set.
// Every other address is left alone.
(function () {
  'use strict';
  const NAME = 'spinekit-offline';

  function staticFolder() {
    // the server tells its base URL in the page, so that a hub or a proxy in front of it makes no difference
    let served = '/lab/extensions';
    try {
      served = JSON.parse(document.getElementById('jupyter-config-data').textContent).fullLabextensionsUrl || served;
    } catch (reason) {
      console.warn(`${NAME}: the page tells no base URL, ${served} is taken`, reason);
    }
    return new URL(`${served}/${NAME}/static/`, window.location.href).href;
  }

  const here = staticFolder();
  const LOCAL = [
    [/^https:\/\/cdn\.jsdelivr\.net\/npm\/vue@[^/]+\/dist\/vue\.min\.js$/, 'vue.min.js'],
    [/^https:\/\/imjoy-team\.github\.io\/vue-js-modal\/index\.js$/, 'vue-js-modal.js'],
    [/^https:\/\/imjoy-team\.github\.io\/vue-js-modal\/styles\.css$/, 'vue-js-modal.css'],
    [/^https:\/\/cdn\.jsdelivr\.net\/npm\/@oeway\/vue-window@[^/]+\/lib\/index\.js$/, 'vue-window-absent.js'],
    [/^https:\/\/cdn\.jsdelivr\.net\/npm\/imjoy-core@[^/]+\/dist\/imjoy-core(\.min)?\.js$/, 'imjoy-core.min.js'],
    [/^https:\/\/cdn\.jsdelivr\.net\/npm\/imjoy-rpc@[^/]+\/dist\/imjoy-rpc(\.min)?\.js$/, 'imjoy-rpc.min.js'],
    [/^https:\/\/imjoy\.io\/static\/img\/.*$/, 'dot.svg'],
    [/^https:\/\/[a-z0-9]+\.ipfs\.dweb\.link\//, 'viewer/index.html'],
    [/^https:\/\/kitware\.github\.io\/itk-vtk-viewer\/app\/?(index\.html)?$/, 'viewer/index.html'],
  ];

  function local(address) {
    if (typeof address !== 'string' || !address.startsWith('https://')) {
      return address;
    }
    const found = LOCAL.find(([pattern]) => pattern.test(address));
    return found ? here + found[1] : address;
  }

  function watchProperty(prototype, property) {
    const known = Object.getOwnPropertyDescriptor(prototype, property);
    Object.defineProperty(prototype, property, {
      ...known,
      set(value) {
        known.set.call(this, local(value));
      },
    });
  }

  watchProperty(HTMLScriptElement.prototype, 'src');
  watchProperty(HTMLIFrameElement.prototype, 'src');
  watchProperty(HTMLLinkElement.prototype, 'href');

  const setAttribute = Element.prototype.setAttribute;
  const WATCHED = [HTMLScriptElement, HTMLIFrameElement, HTMLLinkElement];
  Element.prototype.setAttribute = function (name, value) {
    const watched = (name === 'src' || name === 'href') && WATCHED.some(kind => this instanceof kind);
    return setAttribute.call(this, name, watched ? local(value) : value);
  };

  // the button that the other extension puts into each notebook fetches its picture through a piece of markup
  const LOGO = /https:\/\/imjoy\.io\/static\/img\/[\w./-]+/g;
  const markup = Object.getOwnPropertyDescriptor(Element.prototype, 'innerHTML');
  Object.defineProperty(Element.prototype, 'innerHTML', {
    ...markup,
    set(value) {
      const short = typeof value === 'string' && value.length < 500 && value.includes('https://imjoy.io/');
      markup.set.call(this, short ? value.replace(LOGO, here + 'dot.svg') : value);
    },
  });

  // imjoy-core looks for two plugins of its own on the internet at every start; they run Python in the browser and on
  // other servers, which nothing here needs, and imjoy-core goes on without them
  const PLUGIN = /^https:\/\/imjoy-team\.github\.io\/[\w./-]+\.imjoy\.html/;
  const open = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function (method, address, ...others) {
    if (PLUGIN.test(String(address))) {
      throw new Error(`${NAME}: not fetched from the internet, and not needed: ${address}`);
    }
    return open.call(this, method, address, ...others);
  };

  window.spinekitOffline = { version: '0.1.0', folder: here };
  const plugin = { id: `${NAME}:plugin`, autoStart: true, activate: () => undefined };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[NAME] = {
    init: () => Promise.resolve(),
    get: () => Promise.resolve(() => ({ __esModule: true, default: plugin })),
  };
})();
