/* The search of a page that is read from the disk: browsers start no worker there, so that a hidden frame is one. */
class FrameAsWorker extends EventTarget {
  constructor(url) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    document.body.append(frame);
    this.inside = frame.contentWindow;
    this.loaded = new Promise((resolve) => frame.addEventListener("load", resolve));
    addEventListener("message", ({ source, data }) => {
      if (source === this.inside) this.dispatchEvent(new MessageEvent("message", { data }));
    });
    const page = this.inside.document;
    page.open();
    page.write('<script>postMessage = (data) => parent.postMessage(data, "*");</script>');
    page.write(`<script src="${url}"></script>`);
    page.close();
  }

  postMessage(data) {
    this.loaded.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })));
  }
}
if (location.protocol === "file:") window.Worker = FrameAsWorker;
