const read = (figure) => JSON.parse(figure.querySelector("script").textContent);

// A slider moves all runs' pictures of one name to the last one that each had by then.
for (const figure of document.querySelectorAll(".film:has(input)")) {
  const { times, films } = read(figure);
  const images = figure.querySelectorAll("img"), said = figure.querySelector("output");
  films.forEach((frames, run) => { frames[frames.length - 1][1] = images[run].src; });
  figure.querySelector("input").addEventListener("input", (event) => {
    const now = times[event.target.value];
    said.textContent = now.toLocaleString("en");
    films.forEach((frames, run) => { images[run].src = (frames.findLast(([at]) => at <= now) ?? frames[0])[1]; });
  });
}

// A line across each chart, moved by the pointer or the arrow keys, at which values are read off.
for (const figure of document.querySelectorAll(".chart")) {
  const svg = figure.querySelector("svg"), hair = svg.querySelector(".hair"), said = figure.querySelector("output");
  const { low, high, begin, end, lines } = read(figure);
  const marks = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
  let now = marks.length;
  const nearest = (values, at) => values.reduce((best, x, i) => Math.abs(x - at) < Math.abs(values[best] - at) ? i : best, 0);
  const show = (index) => {
    now = Math.min(Math.max(index, 0), marks.length - 1);
    const at = marks[now], across = begin + (end - begin) * (at - low) / (high - low);
    hair.setAttribute("d", `M${across},8V${svg.viewBox.baseVal.height - 22}`);
    const values = lines.filter((line) => line.x[0] <= at && at <= line.x[line.x.length - 1]).map((line) => {
      const value = line.y[nearest(line.x, at)] ?? "not finite";
      return names.length > 1 ? `${names[line.run]} ${value}` : value;
    });
    said.textContent = `${at.toLocaleString("en")}: ${values.join(", ")}`;
    svg.setAttribute("aria-valuenow", at);
    svg.setAttribute("aria-valuetext", said.textContent);
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    show(nearest(marks, low + (high - low) * (across - begin) / (end - begin)));
  });
  svg.addEventListener("keydown", (event) => {
    const far = Math.ceil(marks.length / 10);
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -far, PageUp: far, Home: -Infinity, End: Infinity };
    if (event.key in moves) {
      show(now + moves[event.key]);
      event.preventDefault();
    }
  });
}
