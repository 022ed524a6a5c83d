"""Light in other axes: it is the same light, whoever looks."""

import numpy as np
import pytest

from tracker.face.camera import Camera
from tracker.face.lighting import in_camera_axes, turned
from tracker.face.pose import exp_so3
from tracker.kernels.shade.reference import harmonics


def light_and_normals(seed):
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(40, 3))
    return rng.normal(size=(9, 3)).astype(np.float32), normals / np.linalg.norm(normals, axis=1)[:, None], rng


@pytest.mark.parametrize("seed", range(4))
def test_turned_with_what_it_lights_it_gives_the_same_colours(seed):
    light, normals, rng = light_and_normals(seed)
    rotation = exp_so3(rng.normal(size=3))
    found = harmonics(normals @ rotation.T) @ turned(light, rotation)
    np.testing.assert_allclose(found, harmonics(normals) @ light, atol=1e-5)


def test_a_square_is_turned_back_and_then_onto_its_ray():
    """A normal that points along the square's x axis, in a square turned by a quarter, points down in the picture."""
    light, camera = light_and_normals(0)[0], Camera(500.0, 500.0, 320.0, 240.0)
    middle = in_camera_axes(light, camera, np.array([320.0, 240.0]), np.pi / 2)
    np.testing.assert_allclose(harmonics(np.array([[0, 1, 0]])) @ middle, harmonics(np.eye(3)[:1]) @ light, atol=1e-5)
    corner = in_camera_axes(light, camera, np.array([820.0, 240.0]), 0.0)  # 45 degrees to the right
    along = np.array([[1, 0, 1]]) / np.sqrt(2)
    np.testing.assert_allclose(harmonics(along) @ corner, harmonics(np.eye(3)[2:]) @ light, atol=1e-5)
