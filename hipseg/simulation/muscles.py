"""Skin, fat, fasciae and muscles as heights over the frontal plane."""

from __future__ import annotations

import numpy as np

from hipseg.simulation.patient import Patient
from hipseg.simulation.surfaces import Array, Waves, blend_intersection, ellipse, soft_ramp

_THINNEST_PSOAS_MM = 0.8


class SoftTissue:
    """A patient's layers.

    Args:
        patient: whose they are.
        rng: of the undulations of the surfaces.
    """

    def __init__(self, patient: Patient, rng: np.random.Generator) -> None:
        self._patient = patient
        self._waves = {name: Waves(rng, (14.0, 70.0)) for name in ("skin", "fat", "iliaca", "pectineus", "floor")}

    def distances(self, x: Array, y: Array, depth: Array, capsule: Array) -> dict[str, Array]:
        """`skin` to `psoas_floor` of `Section`.

        Args:
            x, y: the points.
            depth: below the skin.
            capsule: their distance to the capsule's outer face.
        """
        layers, waves = self._patient.layers, self._waves
        skin = layers.skin_mm + 0.12 * waves["skin"](x, y) - depth
        fat_mm = layers.fat_mm + min(0.8, 0.1 * layers.fat_mm) * waves["fat"](x, y)
        sartorius_mm = self._sartorius_height(x, y)
        iliaca_mm = np.maximum(layers.fascia_iliaca_mm + 0.8 * waves["iliaca"](x, y), fat_mm + sartorius_mm + 0.7)
        iliaca_mm += layers.dip_slope * soft_ramp(layers.dip_x_mm - x, 5.0)
        # However far the fascia dips medially, the iliopsoas stays between it and the capsule.
        iliaca = np.minimum(iliaca_mm - depth, capsule - _THINNEST_PSOAS_MM)
        rectus = ellipse(
            x - np.float32(layers.rectus_x_mm), depth - iliaca_mm - layers.rectus_mm, 11.0, 1.1 * layers.rectus_mm
        )
        floor = capsule - (layers.deep_fat_mm + 0.8 * waves["floor"](x, y) * min(layers.deep_fat_mm, 1.0))
        return {
            "skin": skin,
            "fat": (fat_mm - depth).astype(np.float32),
            "fascia_iliaca": iliaca.astype(np.float32),
            "sartorius": np.maximum(fat_mm + 0.3 - depth, depth - fat_mm - sartorius_mm).astype(np.float32),
            "rectus": rectus.astype(np.float32),
            "pectineus": self._pectineus(x, y, depth),
            "tendon": self._tendon(x, capsule),
            "psoas_floor": floor.astype(np.float32),
        }

    def _sartorius_height(self, x: Array, y: Array) -> Array:
        """Thickness of the muscle, which runs medially on its way down."""
        layers = self._patient.layers
        beside = (x - layers.sartorius_x_mm - 0.4 * y) / 15.0
        return layers.sartorius_mm * np.sqrt(np.maximum(1 - beside * beside, 0))

    def _tendon(self, x: Array, capsule: Array) -> Array:
        """The iliopsoas tendon, nearly round, in the muscle's depth over the capsule."""
        layers = self._patient.layers
        height_mm = layers.deep_fat_mm + layers.tendon_mm
        beside = x - np.float32(layers.tendon_x_mm)
        return ellipse(beside, capsule - np.float32(height_mm), 1.25 * layers.tendon_mm, layers.tendon_mm)

    def _pectineus(self, x: Array, y: Array, depth: Array) -> Array:
        patient, artery = self._patient, self._patient.artery
        medial = artery.x_mm - x
        below_artery_mm = artery.z_mm + patient.head_depth_mm + artery.semi_z_mm + patient.layers.pectineus_gap_mm
        top_mm = below_artery_mm + 0.15 * medial + 0.6 * self._waves["pectineus"](x, y)
        return blend_intersection(top_mm - depth, -medial - 4 + 0.5 * (depth - top_mm), 5.0).astype(np.float32)
