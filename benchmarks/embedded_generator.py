"""How well `panohead-mini` shows heads it never saw: from their own latents, and with W+ fitted jointly to eight views.

    pip install toolkit[identity]
    python benchmarks/embedded_generator.py --subjects 16 --out held-out.json --sheet held-out.jpg

The heads (of heads360's clean validation split) are made in the cache; they are fitted to eight views around and judged
by these and by the views 30 degrees to both sides. PSNR of images in [-1, 1] (peak to peak 2), mean over images: of the
whole picture, and of the pixels of the head. `dlib`: distance of descriptors (`id_dlib`), mean over the views within 30
degrees of the front. Heads drawn at random: `random_heads.py`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from joint_fit import fit_jointly
from PIL import Image
from torch import Tensor

import toolkit
from toolkit.camera import Camera
from toolkit.data.folder import ImageFolder
from toolkit.data.kept import kept_folder
from toolkit.files import atomic_write
from toolkit.interfaces import Item, MakeRequest
from toolkit.registry import default_registry
from toolkit_plugins.panohead.generator import PanoHead
from toolkit_plugins.photo_networks.identity import open_id_dlib

FITTED_YAWS = tuple(range(0, 360, 45))
FACE_YAWS = (0, 45, 315)
"""The fitted ones that show the face: every other step of the fit looks at one of them."""
FRONT_YAWS = (0, 30, 330)
"""Where faces are compared; only the first was fitted."""
SHOWN_YAWS = (0, 30, 90, 180, 270)


def main() -> None:
    """Score, print, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="another folder that `toolkit data make heads360` wrote")
    parser.add_argument("--weights", type=Path, help="default: the shipped ones")
    parser.add_argument("--first", type=int, default=0, help="first subject")
    parser.add_argument("--subjects", type=int, default=64)
    parser.add_argument("--steps", type=int, default=200, help="of the joint fit; 0 leaves it out")
    parser.add_argument("--out", type=Path, help="JSON with the scores of every subject")
    parser.add_argument("--sheet", type=Path, help="picture: truth, own latent, joint fit of the first subjects")
    parser.add_argument("--shown", type=int, default=6, help="subjects on the sheet")
    parser.add_argument("--size", type=int, default=128, help="side in pixels of a view on the sheet")
    arguments = parser.parse_args()
    generator = toolkit.load_generator(toolkit.DEFAULT_GENERATOR, arguments.weights)
    assert isinstance(generator, PanoHead)
    generator.requires_grad_(False)
    data = made_heads(arguments.subjects) if arguments.data is None else arguments.data
    record = json.loads((data / "heads360.json").read_text(encoding="utf-8"))
    scores, rows = [], []
    for name, views in list(subjects(data))[arguments.first :][: arguments.subjects]:
        began = time.process_time()
        score, shown = judge(generator, torch.tensor(record["latents"][name]), views, arguments.steps)
        scores.append({"subject": name, **score, "cpu_seconds": time.process_time() - began})
        rows += shown if len(scores) <= arguments.shown else []
        print(name, {key: round(value, 2) for key, value in score.items()}, flush=True)
        if arguments.sheet and len(scores) == arguments.shown:
            save(arguments.sheet, pair_up(rows, len(shown)), arguments.size / generator.spec.image_size)
    means = {key: float(np.mean([score[key] for score in scores])) for key in scores[0] if key != "subject"}
    print(f"{len(scores)} heads:", {key: round(value, 3) for key, value in means.items()})
    if arguments.out:
        with atomic_write(arguments.out) as temporary:
            temporary.write_text(json.dumps({"mean": means, "subjects": scores}, indent=1), encoding="utf-8")


def made_heads(count: int) -> Path:
    """The folder of heads in the cache."""
    views = tuple(name_of(yaw) for yaw in sorted({*FITTED_YAWS, *FRONT_YAWS}))
    factory = default_registry().load("dataset", "heads360")
    out = kept_folder("heads360", factory, f"clean-val-0-{count}-256-{len(views)}")
    return factory.make(MakeRequest(out, count, "val", 0, "clean", views, 256, 2))


def subjects(folder: Path) -> list[tuple[str, list[Item]]]:
    """Items by subject."""
    data, found = ImageFolder(folder), {}
    for index in range(len(data)):
        item = data[index]
        found.setdefault(item.subject or item.id, []).append(item)
    return list(found.items())


def judge(
    generator: PanoHead, latent: Tensor, views: list[Item], steps: int
) -> tuple[dict[str, float], list[np.ndarray]]:
    """Scores of a head, and its rows of pictures: truth, from its latent, fitted."""
    images = torch.stack([item.image for item in views])
    masks = torch.stack([item.mask for item in views if item.mask is not None])
    cameras = Camera(torch.cat([item.camera.label for item in views]))
    fitted, fronts, shown = (places(views, yaws) for yaws in (FITTED_YAWS, FRONT_YAWS, SHOWN_YAWS))
    codes = {"latent": generator.mapping(latent[None], Camera.orbit())}
    if steps:
        faces = [fitted.index(place) for place in places(views, FACE_YAWS)]
        codes["fitted"] = fit_jointly(generator, codes["latent"], cameras[fitted], images[fitted], faces, steps=steps)
    recogniser = open_id_dlib()
    scores, rows = {}, [row_of(images[shown])]
    for name, ws in codes.items():
        made = views_of(generator, ws, cameras)
        rows.append(row_of(made[shown]))
        error = (made - images).square()
        head = (error * masks).sum((1, 2, 3)) / (3 * masks.sum((1, 2, 3)))
        scores |= {f"{name}_full": psnr(error.mean((1, 2, 3))), f"{name}_head": psnr(head)}
        scores[f"{name}_dlib"] = float(recogniser.score(made[fronts], images[fronts], cameras[fronts]).nanmean())
    return scores, rows


@torch.no_grad()
def views_of(generator: PanoHead, ws: Tensor, cameras: Camera) -> Tensor:
    """Renders [V, 3, S, S] of a code."""
    planes = generator.planes(ws)
    return torch.cat([generator.render(planes, ws, camera).image for camera in cameras]).clamp(-1, 1)


def name_of(yaw: int) -> str:
    """The view's name."""
    return f"yaw_{yaw}"


def places(views: list[Item], yaws: tuple[int, ...]) -> list[int]:
    """Where the views of these yaws stand."""
    return [index for index, item in enumerate(views) if item.view in map(name_of, yaws)]


def psnr(error: Tensor) -> float:
    """Mean PSNR in dB of images' squared errors."""
    return float((10 * torch.log10(4 / error)).mean())


def row_of(images: Tensor) -> np.ndarray:
    """Images [V, 3, S, S] side by side, uint8."""
    return ((torch.cat(list(images), dim=2) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def pair_up(rows: list[np.ndarray], block: int) -> np.ndarray:
    """Blocks of rows in two columns."""
    blocks = [np.concatenate(rows[start : start + block]) for start in range(0, len(rows), block)]
    half = (len(blocks) + 1) // 2
    columns = [np.concatenate(part) for part in (blocks[:half], blocks[half : 2 * half]) if part]
    height = max(column.shape[0] for column in columns)
    padded = [np.pad(c, ((0, height - c.shape[0]), (0, 0), (0, 0)), constant_values=255) for c in columns]
    return np.concatenate(padded, axis=1)


def save(path: Path, picture: np.ndarray, factor: float) -> None:
    """Write a picture, scaled; the name's ending says the format."""
    image = Image.fromarray(picture)
    image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
    with atomic_write(path) as temporary:
        image.save(temporary, format="PNG" if path.suffix == ".png" else "JPEG", quality=88, optimize=True)


if __name__ == "__main__":
    main()
