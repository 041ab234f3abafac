const film = document.querySelector("video");
film.addEventListener("canplaythrough", () => { document.title = "loaded"; }, { once: true });
film.addEventListener("error", () => { document.title = `failed: ${film.error.message}`; });
film.src = new URLSearchParams(location.search).get("src");

// A frame's pixels, as the browser shows them; times are the middles of frames, where rounding cannot choose a neighbour.
self.frame = async (number, fps, side) => {
  film.pause();
  const seeked = new Promise((resolve) => film.addEventListener("seeked", resolve, { once: true }));
  film.currentTime = (number + 0.5) / fps;
  await seeked;
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(film, 0, 0, side, side);
  return Array.from(context.getImageData(0, 0, side, side).data);
};
