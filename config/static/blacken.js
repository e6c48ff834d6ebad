// Lets a resident black out parts of a picture before it is sent: what is under a bar never leaves the browser.
// Without this script the file is sent as it is, and the page says how to cover things beforehand.
const tool = document.querySelector("[data-blacken]");
const input = tool && document.getElementById(tool.dataset.blacken);
if (input) {
  const canvas = tool.querySelector("canvas");
  const said = tool.querySelector("[data-blacken-said]");
  const longest = 2000;
  let picture = null;
  let bars = [];

  const draw = () => {
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    context.fillStyle = "#000";
    bars.forEach((bar) => context.fillRect(bar.x, bar.y, bar.width, bar.height));
  };
  const tell = () => {
    said.textContent = bars.length ? `${said.dataset.some} ${bars.length}` : said.dataset.none;
  };
  const show = () => {
    draw();
    tell();
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
  };
  const add = () => {
    const width = canvas.width / 3;
    const height = canvas.height / 20;
    bars.push({ x: (canvas.width - width) / 2, y: (canvas.height - height) / 2, width, height });
    show();
    canvas.focus();
  };

  input.addEventListener("change", async () => {
    picture = null;
    bars = [];
    try {
      picture = input.files[0] ? await createImageBitmap(input.files[0], { imageOrientation: "from-image" }) : null;
    } catch {
      picture = null; // no picture that this browser reads: it is sent as it is, and the server says what it is
    }
    tool.hidden = !picture;
    if (picture) {
      const scale = Math.min(1, longest / Math.max(picture.width, picture.height));
      canvas.width = Math.round(picture.width * scale);
      canvas.height = Math.round(picture.height * scale);
      show();
    }
  });

  let start = null;
  canvas.addEventListener("pointerdown", (event) => {
    start = place(event);
    bars.push({ ...start, width: 0, height: 0 });
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!start) return;
    const now = place(event);
    const bar = bars[bars.length - 1];
    bar.x = Math.min(start.x, now.x);
    bar.y = Math.min(start.y, now.y);
    bar.width = Math.abs(now.x - start.x);
    bar.height = Math.abs(now.y - start.y);
    draw();
  });
  canvas.addEventListener("pointerup", () => {
    if (!start) return;
    start = null;
    const bar = bars[bars.length - 1];
    if (bar.width < 4 || bar.height < 4) bars.pop();
    show();
  });

  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const bar = bars[bars.length - 1];
    const step = steps[event.key];
    if (!bar || !step) return;
    event.preventDefault();
    const by = Math.max(canvas.width, canvas.height) / 100;
    if (event.shiftKey) {
      bar.width = Math.max(by, bar.width + step[0] * by);
      bar.height = Math.max(by, bar.height + step[1] * by);
    } else {
      bar.x = Math.min(Math.max(0, bar.x + step[0] * by), canvas.width - by);
      bar.y = Math.min(Math.max(0, bar.y + step[1] * by), canvas.height - by);
    }
    draw();
  });
  tool.querySelector("[data-blacken-add]").addEventListener("click", add);
  tool.querySelector("[data-blacken-remove]").addEventListener("click", () => {
    bars.pop();
    show();
  });

  // The picture as it is on the canvas takes the file's place, so nothing that was covered is sent.
  input.form.addEventListener("submit", (event) => {
    if (!picture || !bars.length) return;
    event.preventDefault();
    canvas.toBlob(
      (blob) => {
        const files = new DataTransfer();
        files.items.add(new File([blob], "photo.jpg", { type: "image/jpeg" }));
        input.files = files.files;
        input.form.submit();
      },
      "image/jpeg",
      0.9,
    );
  });
  document.querySelector("[data-blacken-off]").hidden = true;
}
