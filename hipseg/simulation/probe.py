"""Where the probe stands and what it samples: beams in the patient, and beams turned into an image.

The image plane has u to the right and w away from the probe, millimetres, (0, 0) at the middle of the probe's face.
Arrays over samples along a beam and beams end in _SL.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.patient import Patient
from hipseg.simulation.population.habitus import curved_probe_chance
from hipseg.simulation.surfaces import Array

BEAM_PITCH_MM = 0.12
SAMPLE_PITCH_MM = 0.1
STEERED_DEG = (8.0, 20.0)
COARSENESS = 3
"""Anatomy is evaluated on every third sample and beam and interpolated: its smallest bodies are far larger."""
_MARGIN = 1  # coarse cells around the scan, so that interpolation reaches its edges


@dataclass(frozen=True, slots=True)
class Probe:
    """A linear or curvilinear array and the picture it gives.

    Attributes:
        aperture_mm: length of the face; of the chord for a curved one.
        depth_mm: shown along the beams.
        radius_mm: of the curved face, infinite for a linear probe.
        frequency_mhz: centre frequency.
        pixel_mm: of the displayed image.
        steer_rad: angle of a linear probe's beams to the face's normal, toward positive u: the picture is a
            parallelogram (virtual steering). 0 for a curved one.
    """

    aperture_mm: float
    depth_mm: float
    radius_mm: float
    frequency_mhz: float
    pixel_mm: float
    steer_rad: float = 0.0

    @property
    def is_linear(self) -> bool:
        """Whether beams are parallel."""
        return bool(np.isinf(self.radius_mm))

    @property
    def half_angle_rad(self) -> float:
        """Of the sector, 0 for a linear probe."""
        return 0.0 if self.is_linear else float(np.arcsin(self.aperture_mm / 2 / self.radius_mm))

    @property
    def beam_shape(self) -> tuple[int, int]:
        """Samples along a beam, number of beams."""
        stretch = 1.0 if self.is_linear else 1.0 + 0.5 * self.depth_mm / self.radius_mm
        samples = np.clip(self.depth_mm / SAMPLE_PITCH_MM, 120, 520)
        lines = np.clip(self.aperture_mm * stretch / BEAM_PITCH_MM, 120, 480)
        return int(samples) // COARSENESS * COARSENESS, int(lines) // COARSENESS * COARSENESS

    @property
    def range_mm(self) -> Array:
        """Distance of each sample from the face, [S, 1]."""
        return ((np.arange(self.beam_shape[0], dtype=np.float32) + 0.5) * np.float32(self.sample_mm))[:, None]

    @property
    def sample_mm(self) -> float:
        """Distance of samples along a beam."""
        return self.depth_mm / self.beam_shape[0]

    @property
    def line_mm(self) -> float:
        """Distance of beams at the face."""
        arc = self.aperture_mm if self.is_linear else 2 * self.half_angle_rad * self.radius_mm
        return arc / self.beam_shape[1]

    @property
    def extent_mm(self) -> tuple[float, float, float, float]:
        """Edges of the image: left and right (u), top and bottom (w)."""
        if self.is_linear:
            shift_mm, half_mm = self.depth_mm * math.sin(self.steer_rad), self.aperture_mm / 2
            bottom_mm = self.depth_mm * math.cos(self.steer_rad)
            return min(shift_mm, 0.0) - half_mm, max(shift_mm, 0.0) + half_mm, 0.0, bottom_mm
        half = (self.radius_mm + self.depth_mm) * np.sin(self.half_angle_rad)
        return -half, half, self.radius_mm * (np.cos(self.half_angle_rad) - 1), self.depth_mm

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        left, right, top, bottom = self.extent_mm
        return max(int((bottom - top) / self.pixel_mm), 1), max(int((right - left) / self.pixel_mm), 1)

    def coarse_positions(self) -> tuple[Array, Array, Array]:
        """u, w and distance from the face on a coarse grid of beams with a margin, for `refine`."""
        num_samples, num_lines = (count // COARSENESS for count in self.beam_shape)
        sample = np.arange(-_MARGIN, num_samples + _MARGIN, dtype=np.float32)[:, None] + 0.5
        line = np.arange(-_MARGIN, num_lines + _MARGIN, dtype=np.float32)[None] + 0.5
        range_mm = np.broadcast_to(sample * np.float32(self.depth_mm / num_samples), (len(sample), line.size))
        across = line / num_lines - 0.5
        if self.is_linear:
            sin_s, cos_s = np.float32(math.sin(self.steer_rad)), np.float32(math.cos(self.steer_rad))
            return across * np.float32(self.aperture_mm) + sin_s * range_mm, cos_s * range_mm, range_mm
        angle, reach = across * np.float32(2 * self.half_angle_rad), np.float32(self.radius_mm) + range_mm
        return reach * np.sin(angle), reach * np.cos(angle) - np.float32(self.radius_mm), range_mm

    def refine(self, coarse: Array) -> Array:
        """Values on the coarse grid as values [S, L] of all samples and beams, interpolated linearly."""
        height, width = coarse.shape
        fine = cv2.resize(coarse, (width * COARSENESS, height * COARSENESS), interpolation=cv2.INTER_LINEAR)
        edge = _MARGIN * COARSENESS
        return fine[edge:-edge, edge:-edge]

    def on_beam(self, line: float, range_mm: float) -> tuple[float, float]:
        """u, w of a point on a beam; the line may be fractional."""
        across = (line + 0.5) / self.beam_shape[1] - 0.5
        if self.is_linear:
            u_mm = across * self.aperture_mm + math.sin(self.steer_rad) * range_mm
            return u_mm, math.cos(self.steer_rad) * range_mm
        angle, reach = across * 2 * self.half_angle_rad, self.radius_mm + range_mm
        return float(reach * np.sin(angle)), float(reach * np.cos(angle) - self.radius_mm)

    def to_pixels(self, u_mm: float, w_mm: float) -> tuple[float, float]:
        """Image x, y of a point of the plane; pixel centres are whole numbers."""
        left, _, top, _ = self.extent_mm
        return (u_mm - left) / self.pixel_mm - 0.5, (w_mm - top) / self.pixel_mm - 0.5

    def to_plane(self, x_px: Array, y_px: Array) -> tuple[Array, Array]:
        """u, w of image pixels; inverse of `to_pixels`."""
        left, _, top, _ = self.extent_mm
        return (x_px + 0.5) * self.pixel_mm + left, (y_px + 0.5) * self.pixel_mm + top

    def to_beams(self, u_mm: npt.ArrayLike, w_mm: npt.ArrayLike) -> tuple[Array, Array]:
        """Fractional line and sample index of points of the plane."""
        u, w = np.asarray(u_mm, np.float32), np.asarray(w_mm, np.float32)
        num_samples, num_lines = self.beam_shape
        if self.is_linear:
            across, range_mm = (u - math.tan(self.steer_rad) * w) / self.aperture_mm, w / math.cos(self.steer_rad)
        else:
            height = w + self.radius_mm
            across = np.arctan2(u, height) / (2 * self.half_angle_rad)
            range_mm = np.hypot(u, height) - self.radius_mm
        return (across + 0.5) * num_lines - 0.5, range_mm / self.depth_mm * num_samples - 0.5

    def shows(self, u_mm: npt.ArrayLike, w_mm: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether points of the plane lie in the scanned area and on a pixel of the image."""
        u, w = np.asarray(u_mm, np.float64), np.asarray(w_mm, np.float64)
        line, sample = self.to_beams(u, w)
        (num_samples, num_lines), (height, width) = self.beam_shape, self.image_shape
        left, _, top, _ = self.extent_mm
        column, row = (u - left) / self.pixel_mm, (w - top) / self.pixel_mm
        scanned = (line >= -0.5) & (line <= num_lines - 0.5) & (sample >= -0.5) & (sample <= num_samples - 0.5)
        return scanned & (column >= 0) & (column <= width) & (row >= 0) & (row <= height)

    def scan_convert(self, values_SL: Array, *, nearest: bool = False) -> Array:
        """Beams to image [H, W], black where no beam reaches."""
        height, width = self.image_shape
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        line, sample = self.to_beams(*self.to_plane(x, y))
        num_samples, num_lines = self.beam_shape
        mode = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        image = cv2.remap(values_SL, line, sample, mode, borderMode=cv2.BORDER_REPLICATE)
        if not self.is_linear or self.steer_rad:
            image[(np.abs(line - (num_lines - 1) / 2) > num_lines / 2) | (sample < -0.5) | (sample > num_samples)] = 0
        return image


@dataclass(frozen=True, slots=True)
class Pose:
    """The image plane in the patient (patient.py's coordinates).

    Attributes:
        x_mm, y_mm: of the middle of the probe's face on the skin.
        heading_rad: of u in the frontal plane, from lateral toward caudal.
        tilt_rad: of the plane about u (fanning).
        rock_rad: of the image within its plane.
        skin_z_mm: of the skin.
    """

    x_mm: float
    y_mm: float
    heading_rad: float
    tilt_rad: float
    rock_rad: float
    skin_z_mm: float

    def moved(self, along_mm: float, across_mm: float) -> Pose:
        """The pose after the probe slid over the skin."""
        cos_h, sin_h = math.cos(self.heading_rad), math.sin(self.heading_rad)
        x_mm = self.x_mm + along_mm * cos_h + across_mm * sin_h
        y_mm = self.y_mm - along_mm * sin_h + across_mm * cos_h
        return replace(self, x_mm=x_mm, y_mm=y_mm)

    def axes(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Unit vectors of u, w and the plane's normal."""
        cos_h, sin_h = np.cos(self.heading_rad), np.sin(self.heading_rad)
        along, across, down = np.array([cos_h, -sin_h, 0.0]), np.array([sin_h, cos_h, 0.0]), np.array([0.0, 0.0, 1.0])
        depth = np.cos(self.tilt_rad) * down + np.sin(self.tilt_rad) * across
        normal = np.cos(self.tilt_rad) * across - np.sin(self.tilt_rad) * down
        u = np.cos(self.rock_rad) * along + np.sin(self.rock_rad) * depth
        w = np.cos(self.rock_rad) * depth - np.sin(self.rock_rad) * along
        return u, w, normal

    def to_patient(self, u_mm: Array, w_mm: Array, out_mm: float = 0.0) -> tuple[Array, Array, Array]:
        """Patient coordinates x, y, z of points at u, w in the plane or `out_mm` off it."""
        u, w, normal = self.axes()
        origin = (self.x_mm, self.y_mm, self.skin_z_mm)
        x, y, z = (
            np.asarray(origin[i] + out_mm * normal[i] + u_mm * np.float32(u[i]) + w_mm * np.float32(w[i]), np.float32)
            for i in range(3)
        )
        return x, y, z


def draw_probe(config: SimulationConfig, patient: Patient, view: str, rng: np.random.Generator) -> Probe:
    """A probe and picture that suit the patient: deeper and more often curved when the joint lies deep."""
    aperture_mm = rng.uniform(*config.aperture_mm)
    margin_mm = rng.uniform(2, 22) if view == "transverse" else rng.uniform(14, 32)
    depth_mm = float(np.clip(patient.apex_depth_mm + margin_mm, *config.depth_mm))
    curved = rng.random() < curved_probe_chance(config.curvilinear_share, patient.habitus)
    frequency_mhz = rng.uniform(*config.frequency_mhz) * (1 - 0.25 * patient.habitus)
    pixel_mm = rng.uniform(*config.pixel_mm)
    if curved:
        return Probe(rng.uniform(44, 60), depth_mm, rng.uniform(45, 62), 0.45 * frequency_mhz, 1.6 * pixel_mm)
    steer_deg = rng.choice([-1, 1]) * rng.uniform(*STEERED_DEG) if rng.random() < config.steered_share else 0.0
    return Probe(aperture_mm, depth_mm, np.inf, frequency_mhz, pixel_mm, math.radians(steer_deg))


def draw_pose(patient: Patient, view: str, rng: np.random.Generator) -> Pose:
    """Where an operator would hold the probe for a view, give or take."""
    tilt, rock = math.radians(rng.normal(0, 3)), math.radians(rng.normal(0, 4.0))
    if view == "transverse":
        middle_mm = rng.uniform(patient.artery.x_mm + 3, 2)
        return Pose(middle_mm, rng.uniform(-11, 4), math.radians(rng.normal(0, 8)), tilt, rock, -patient.head_depth_mm)
    along_mm, aside_mm = rng.uniform(4, 24), rng.normal(0, 2.5)
    heading = patient.bone.neck_heading_rad + math.radians(rng.normal(0, 6))
    cos_h, sin_h = np.cos(patient.bone.neck_heading_rad), np.sin(patient.bone.neck_heading_rad)
    x_mm, y_mm = along_mm * cos_h + aside_mm * sin_h, -along_mm * sin_h + aside_mm * cos_h
    return Pose(x_mm, y_mm, heading, tilt, rock, -patient.head_depth_mm)
