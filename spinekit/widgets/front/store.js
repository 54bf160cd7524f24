// What one widget knows, however often it is shown: images, frames, labels, the last word of Python.
class Store {
  constructor(model) {
    Object.assign(this, {
      model,
      pictures: new Map(),
      panel: null,
      curve: "",
      benches: new Set(),
      sent: 0,
      wanted: [],
      asked: false,
    });
    this.listener = (message, buffers) => this.hear(message, buffers);
    model.on("msg:custom", this.listener);
  }

  // Images are asked for when a view is there, and let go with the last one: a page may have seen fifty.
  show(bench) {
    this.benches.add(bench);
    if (this.benches.size === 1) this.model.send({ type: "ready" });
  }

  hide(bench) {
    this.benches.delete(bench);
    if (this.benches.size) return;
    for (const picture of this.pictures.values()) picture.forget();

    Object.assign(this, { pictures: new Map(), panel: null, curve: "", wanted: [], asked: false });
  }

  end() {
    this.model.off("msg:custom", this.listener);
    for (const bench of [...this.benches]) bench.close();
  }

  hear(message, buffers) {
    if (!this.benches.size) return; // nobody looks; whoever comes asks for everything
    const words = () =>
      new Uint32Array(buffers[0].buffer.slice(buffers[0].byteOffset, buffers[0].byteOffset + buffers[0].byteLength));
    if (message.type === "images") {
      this.pictures = new Map(message.images.map((about) => [about.id, new Picture(about)]));
      this.wanted = message.order; // [image, frame], what is seen first comes first
      this.ask();
    } else if (!this.pictures.size)
      return; // an answer to a view that is gone
    else if (message.type === "frame") {
      const { buffer, byteOffset, byteLength } = buffers[0],
        picture = this.pictures.get(message.image);
      picture.frames[message.frame] = new Int16Array(buffer.slice(byteOffset, byteOffset + byteLength));
      this.asked = false;
      this.ask();
    } else if (message.type === "labels") this.label(message, words());
    else if (message.type === "panel") this.panel = message.panel;
    else if (message.type === "curve") this.curve = message.svg;
    for (const bench of this.benches) bench.safe(() => bench.heard(message))();
  }

  ask() {
    if (this.asked || !this.wanted.length) return;
    this.asked = true;
    const [image, frame] = this.wanted.shift();
    this.model.send({ type: "frame", image, frame });
  }

  // Python's picture of a drawing; one older than the last stroke, or in the middle of one, is not shown.
  label(message, runs) {
    const picture = this.pictures.get(message.image);
    const drawing = [...this.benches].some((b) => b.stroke);
    this.missed = this.missed || drawing;
    if (message.sent < this.sent || drawing) return;
    picture.setLabels(runs);
  }
}
