// All that is kept with a widget: it asks Python for the bench's source, once per page and version.
// A page never forgets a module it has loaded, so fifty viewers with the source in each would fill it.

const VERSION = "{{version}}";
const loaded = (globalThis.spinekitBenches ??= new Map());

function sourceFrom(model) {
  return new Promise((done) => {
    const hear = (message) => {
      if (message.type !== "source") return;
      model.off("msg:custom", hear);
      const address = URL.createObjectURL(new Blob([message.text], { type: "text/javascript" }));
      if (!loaded.has(VERSION))
        loaded.set(
          VERSION,
          import(address).finally(() => URL.revokeObjectURL(address)),
        );
      done(loaded.get(VERSION));
    };
    model.on("msg:custom", hear);
    model.send({ type: "source" });
  });
}

// Nothing here may be waited for: the page hears no message of the kernel until a widget's beginning has returned.
export default () => {
  let store = null;
  const opened = async (model) => {
    const { Bench, Store } = await (loaded.get(VERSION) ?? sourceFrom(model));
    store ??= new Store(model);
    return Bench;
  };
  return {
    initialize() {
      return () => store?.end();
    },
    render({ model, el }) {
      let bench = null;
      let gone = false;
      opened(model).then((Bench) => {
        if (gone) return;
        bench = new Bench(store, el);
        store.show(bench);
      });
      return () => {
        gone = true;
        bench?.close();
      };
    },
  };
};
