// The start: which breed is on a photo.

import { showKeeping } from "./feedback.js";
import { acceptPhotos } from "./predict.js";

let isReady = false;

export const home = {
  title: () => "",
  async open() {
    if (!isReady) acceptPhotos();
    isReady = true;
    await showKeeping();
  },
};
