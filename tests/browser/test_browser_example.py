"""The example page with a model in the browser: it prepares a photo as the exports' script does, and answers as it.

ONNX Runtime Web comes from npm alone, so that a stand-in has its place in the tests that need no npm: it tells the mean
of the red.
"""

import base64
import functools
import io
import json
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect

from ml.decode.images import Limits
from ml.serve.export.archive import export
from ml.serve.export.carried.predict import Model, square
from ml.serve.export.manifest import Origin
from tests.conftest import REPOSITORY
from tests.ml.pictures import jpeg
from tests.ml.serve.trained import calibrated, trained

pytestmark = pytest.mark.browser

STAND_IN = """
export const env = { wasm: {} };
export class Tensor { constructor(kind, data, dims) { Object.assign(this, { kind, data, dims }); } }
export class InferenceSession {
  static async create() { return new InferenceSession(); }
  async run({ pixels }) {
    const red = pixels.data.filter((_, index) => index % 3 === 0).reduce((sum, one) => sum + one, 0);
    const mean = red / (pixels.data.length / 3) / 255;
    return { probabilities: { data: [1 - mean, mean] } };
  }
}
"""


class Quiet(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}  # noqa: RUF012 - as typed there

    def log_message(self, *_: object) -> None:
        """Tests have nothing to say here."""


@contextmanager
def served(folder: Path, browser: Browser) -> Iterator[Page]:
    """The example, opened from a plain file server on the folder, which has what belongs beside it."""
    shutil.copytree(REPOSITORY / "examples" / "browser", folder, dirs_exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        opened = browser.new_page()
        opened.goto(f"http://127.0.0.1:{server.server_address[1]}/index.html")
        yield opened
        opened.close()
        server.shutdown()
        thread.join()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """Beside a manifest and the stand-in."""
    for name in ("model", "onnxruntime-web"):
        (tmp_path / name).mkdir()
    (tmp_path / "onnxruntime-web" / "ort.wasm.min.mjs").write_text(STAND_IN)
    (tmp_path / "model" / "manifest.json").write_text(
        json.dumps({"vocab": ["grey", "red"], "prepare": {"presize": 48}})
    )
    with served(tmp_path, browser) as opened:
        yield opened


def png(width: int, height: int, **how: object) -> bytes:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", **how)
    return out.getvalue()


def prepared(page: Page, photo: bytes, presize: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    script = """async ([photo, presize]) => {
      const { squareOf } = await import("/square.js");
      const bytes = Uint8Array.from(atob(photo), (letter) => letter.charCodeAt(0));
      return [...await squareOf(new Blob([bytes]), presize)];
    }"""
    found = page.evaluate(script, [base64.b64encode(photo).decode(), presize])
    return np.array(found, np.uint8).reshape(presize, presize, 3)


@pytest.mark.parametrize(("width", "height", "presize"), [(100, 61, 48), (30, 47, 48), (48, 48, 48), (97, 301, 33)])
def test_a_photo_is_prepared_bit_for_bit_as_the_script_does(page: Page, width: int, height: int, presize: int) -> None:
    photo = png(width, height)
    assert np.array_equal(prepared(page, photo, presize), square(photo, presize))


def test_the_page_says_what_the_model_says(page: Page) -> None:
    expect(page.locator("#said")).to_have_text("Choose a photo.")
    out = io.BytesIO()
    Image.new("RGB", (60, 50), (204, 0, 0)).save(out, "PNG")
    page.locator("#photo").set_input_files(FilePayload(name="it.png", mimeType="image/png", buffer=out.getvalue()))
    expect(page.locator("#said")).to_have_text("it.png")
    assert page.locator("#breeds li").all_text_contents() == ["red 80.0%", "grey 20.0%"]


def test_what_is_no_photo_is_said(page: Page) -> None:
    expect(page.locator("#said")).to_have_text("Choose a photo.")
    page.locator("#photo").set_input_files(FilePayload(name="it.png", mimeType="image/png", buffer=b"no picture"))
    expect(page.locator("#said")).to_contain_text("This photo cannot be read")


def onnx_runtime_web(folder: Path) -> Path:
    """What the example's README says of it, done."""
    readme = (REPOSITORY / "examples" / "browser" / "README.md").read_text()
    (package,) = re.findall(r"^npm pack (\S+)", readme, re.MULTILINE)
    run = functools.partial(subprocess.run, cwd=folder, check=True, capture_output=True)
    run(["npm", "pack", "--silent", package])
    (packed,) = folder.glob("onnxruntime-web-*.tgz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    runtime = folder / "onnxruntime-web"
    runtime.mkdir()
    dist = folder / "package" / "dist"
    for file in (dist / "ort.wasm.min.mjs", *dist.glob("ort-wasm-simd-threaded.*")):
        shutil.copy(file, runtime)
    return runtime


@pytest.mark.thorough
@pytest.mark.npm
def test_a_model_in_the_browser_answers_as_the_exports_script_does(browser: Browser, tmp_path: Path) -> None:
    onnx_runtime_web(tmp_path)
    files = trained(tmp_path / "files")
    calibrated(files, temperature=0.4)
    work = tmp_path / "work"
    work.mkdir()
    made = export(files, "onnx", Origin(version=3, run=12), work, photos=[], limits=Limits(), on_stage=lambda _: None)
    shutil.unpack_archive(made, tmp_path)
    (tmp_path / "model-3-onnx").rename(tmp_path / "model")
    script, photos = Model(tmp_path / "model"), [jpeg(300, 200, seed=1), jpeg(97, 301, seed=2), png(120, 90)]
    ask = """async (photo) => {
      const { openModel, predict } = await import("/page.js");
      const bytes = Uint8Array.from(atob(photo), (letter) => letter.charCodeAt(0));
      const found = await predict(await openModel(), new Blob([bytes]));
      return Object.fromEntries(found.map(({ breed, probability }) => [breed, probability]));
    }"""
    with served(tmp_path, browser) as page:
        for number, photo in enumerate(photos):
            path = tmp_path / f"{number}.photo"
            path.write_bytes(photo)
            assert page.evaluate(ask, base64.b64encode(photo).decode()) == pytest.approx(script.predict(path), abs=1e-3)
