"""Sensors. This machine has none: the folders below stand in for /sys and /proc of a Raspberry Pi 5 and of a PC, and a
shell script for Raspberry Pi's vcgencmd.
"""

import os
import time
from dataclasses import asdict

import numpy as np
import pytest

from tkit_edge import conditions, energy, machine, power
from tkit_edge.bench import bench
from tkit_edge.conditions import Condition, Sensors, Watch
from tkit_edge.errors import InputError
from tkit_edge.power import Power
from tkit_edge.table import table

PMIC = """
     3V3_SYS_A current(1)=0.10000000A
     VDD_CORE_A current(7)=2.00000000A
     3V3_SYS_V volt(9)=3.30000000V
     VDD_CORE_V volt(15)=0.90000000V
     EXT5V_V volt(24)=5.15000000V
"""


def files(root, texts):
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


@pytest.fixture
def pi(tmp_path):
    """A stand-in for a Raspberry Pi 5."""
    root = tmp_path / "pi"
    cpu, zone = "sys/devices/system/cpu", "sys/class/thermal/thermal_zone0"
    files(root, {
        f"{cpu}/cpu0/cpufreq/scaling_cur_freq": 1_500_000,
        f"{cpu}/cpu1/cpufreq/scaling_cur_freq": 2_400_000,
        f"{cpu}/cpu0/cpufreq/scaling_governor": "ondemand",
        f"{zone}/type": "cpu-thermal",
        f"{zone}/temp": 61_400,
        f"{zone}/trip_point_0_type": "critical",
        f"{zone}/trip_point_0_temp": 110_000,
        f"{zone}/trip_point_1_type": "passive",
        f"{zone}/trip_point_1_temp": 80_000,
        "sys/class/thermal/thermal_zone1/type": "nvme",
        "sys/class/thermal/thermal_zone1/temp": 90_000,
        "proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n",
        "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        "proc/stat": "cpu  1000 0 500 9000 20 0 30 0 0 0\ncpu0 1 2 3",
        "proc/42/stat": "42 (tkit (edge)) R 1 1 1 0 -1 0 0 0 0 0 700 100 0 0 20 0 1",
    })  # fmt: skip
    firmware(root, "throttled=0x0")
    return root


def firmware(root, throttled, adc=PMIC):
    path = root / "usr/bin/vcgencmd"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nif [ $1 = get_throttled ]; then echo {throttled}; else cat << END\n{adc}\nEND\nfi\n")
    path.chmod(0o755)


def test_the_sensors_of_a_stand_in_for_a_raspberry_pi(pi):
    assert Sensors(pi).now() == Condition(2400.0, 61.4, 0)
    assert Sensors(pi).limit_c() == 80.0
    found = machine.describe(pi)
    assert (found["cpu"], found["board"], found["governor"]) == (
        "Cortex-A76",
        "Raspberry Pi 5 Model B Rev 1.0",
        "ondemand",
    )


def test_a_machine_without_sensors(tmp_path):
    sensors = Sensors(tmp_path)
    assert sensors.now() == Condition(None, None, None)
    watch = Watch(sensors)
    watch.start([1])
    watch.look()
    watch.look_closer()
    found = watch.conditions()
    assert (found.throttling, found.other_cores, found.lowest_frequency_mhz) == ((), None, None)
    assert conditions.remarks(asdict(found), 4) == []
    assert machine.describe(tmp_path)["board"] is None
    assert power.meter(None, sensors) is None


@pytest.mark.parametrize("content", ["", "not a number", "-1 x"])
def test_files_that_hold_nonsense(pi, content):
    for path in pi.rglob("*"):
        if path.is_file() and "bin" not in path.parts:
            path.write_text(content)
    sensors = Sensors(pi)
    assert sensors.now() == Condition(None, None, 0)
    assert sensors.busy_seconds() is None
    (pi / "usr/bin/vcgencmd").write_text("no program")
    assert Sensors(pi).throttle_bits() is None


def watched(root, steps):
    """The conditions after looks between which files change."""
    watch = Watch(Sensors(root))
    watch.start([42])
    for step in steps:
        files(root, step)
        watch.look()
        watch.look_closer()
    return watch.conditions()


FREQUENCY = "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq"
TEMPERATURE = "sys/class/thermal/thermal_zone0/temp"


def test_a_falling_frequency_and_a_temperature_limit_are_throttling(pi):
    steps = [{FREQUENCY: 2_400_000}, *[{FREQUENCY: 1_800_000, TEMPERATURE: 82_000}] * 3, {TEMPERATURE: 70_000}]
    found = watched(pi, steps)
    assert found.throttling == (
        "the frequency fell from 2,400 to 1,800 MHz",
        "82 °C, and Linux slows it from 80 °C on",
    )
    assert (found.lowest_frequency_mhz, found.highest_frequency_mhz, found.highest_temperature_c) == (1800, 2400, 82)
    throttled, seen = conditions.remarks(asdict(found), 4)[:2]
    assert throttled.startswith("The processor was throttled (the frequency fell")
    assert seen == "processor under load: 1,800 to 2,400 MHz, at most 82 °C, 61 °C before, 70 °C after"


def test_a_rising_or_a_flickering_frequency_is_none(pi):
    steps = [{FREQUENCY: mhz * 1000} for mhz in (1500, 1600, 2400, 1800, 2400, 1500, 2300)]
    assert watched(pi, steps).throttling == ()


def test_the_firmware_tells_of_throttling_and_under_voltage(pi):
    firmware(pi, "throttled=0x50000")  # once, before this measurement
    watch = Watch(Sensors(pi))
    watch.start([42])
    assert watch.conditions().throttling == ()
    firmware(pi, "throttled=0x50004")
    watch.look_closer()
    firmware(pi, "throttled=0xd0000")
    reasons = watch.conditions().throttling
    assert reasons == ("the firmware throttled it", "the soft temperature limit was reached")


def test_the_load_of_others_is_all_but_ones_own(pi, monkeypatch):
    clock = iter([0.0, 10.0, 20.0])
    monkeypatch.setattr(conditions.time, "monotonic", lambda: next(clock))
    ticks = os.sysconf("SC_CLK_TCK")
    watch = Watch(Sensors(pi))
    watch.start([42])
    files(pi, {
        "proc/stat": f"cpu  {1000 + 25 * ticks} 0 500 9900 20 0 30 0 0 0",
        "proc/42/stat": f"42 (tkit (edge)) R 1 1 1 0 -1 0 0 0 0 0 {700 + 10 * ticks} 100 0 0 20 0 1",
    })  # fmt: skip
    found = watch.conditions()
    assert found.other_cores == 1.5
    assert "Other processes kept 1.50 of 4 cores busy" in conditions.remarks(asdict(found), 4)[-1]
    assert not [line for line in conditions.remarks(asdict(found), 64) if "Other" in line]


def test_the_own_load_of_a_real_process_is_told_apart():
    sensors = Sensors()
    before = sensors.own_seconds([os.getpid()])
    while sensors.own_seconds([os.getpid()]) < before + 0.05:
        pass
    assert sensors.own_seconds([os.getpid(), 2**30]) is None  # one that is gone


def test_the_energy_of_a_ramp_by_the_trapezoidal_rule():
    ramp = Power(np.arange(0.0, 11.0), np.arange(0.0, 11.0))
    assert ramp.joules(2.5, 8.5) == pytest.approx((8.5**2 - 2.5**2) / 2)
    assert ramp.joules(2.5, 4.5) is None  # two readings
    assert ramp.joules(-1.0, 8.0) is None
    assert ramp.joules(5.0, 11.0) is None


class Recorded:
    """A meter that gave 3 W while nothing ran, then 5 W."""

    name = "recorded"

    def __init__(self, clock):
        self.clock = clock

    def start(self):
        self.times = np.arange(self.clock.now - 1, self.clock.now + 100, 0.1)
        self.began = self.clock.now

    def stop(self):
        return Power(self.times, np.where(self.times < self.began + 10.0001, 3.0, 5.0))


class Clock:
    now = 1000.0

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_the_energy_of_an_inference_is_less_what_the_idle_machine_takes(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(energy, "time", clock)

    def run(seconds):
        clock.now += seconds
        return 200

    source, (one, other) = energy.measured(Recorded(clock), [run, run], 10.0)
    assert source == energy.PowerSource("recorded", pytest.approx(3.0))
    assert other.watts == pytest.approx(5.0)
    assert other.millijoules == pytest.approx((5 - 3) * 10 / 200 * 1000)
    assert one.millijoules == pytest.approx(other.millijoules, rel=0.02)


def test_the_power_of_a_stand_in_for_a_pi_5_is_the_sum_over_its_rails(pi):
    found = power.meter(None, Sensors(pi))
    assert found.name == "Raspberry Pi's PMIC"
    found.start()
    read = found.stop()
    assert read.watts.tolist() == pytest.approx([3.3 * 0.1 + 0.9 * 2.0] * len(read.watts))
    assert len(read.watts) >= 2


def test_the_power_of_a_stand_in_for_a_pc_is_its_packages_counters_difference(tmp_path, monkeypatch):
    package = "sys/class/powercap/intel-rapl:0"
    files(tmp_path, {
        f"{package}/name": "package-0",
        f"{package}/energy_uj": 999_000_000,
        f"{package}/max_energy_range_uj": 1_000_000_000,
        "sys/class/powercap/intel-rapl:0:0/name": "core",
        "sys/class/powercap/intel-rapl:0:0/energy_uj": 5,
        "sys/class/powercap/intel-rapl:1/name": "psys",
        "sys/class/powercap/intel-rapl:1/energy_uj": 5,
    })  # fmt: skip
    clock = Clock()
    monkeypatch.setattr(power, "time", clock)
    found = power.meter(None, Sensors(tmp_path))
    assert found.name == "RAPL"
    clock.now += 2
    files(tmp_path, {f"{package}/energy_uj": 3_000_000})  # it began again at 0
    assert found.read() == pytest.approx(4.0 / 2)
    (tmp_path / package / "energy_uj").unlink()
    assert found.read() is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("volts,amps\n5,1\n", "expected a first line with time,watts or with time,volts,amps; received 'volts,amps'"),
        ("", "expected a first line"),
        ("time,watts\n1,2\n2,much\n", "line 3: expected numbers, and a time as seconds since 1970"),
        ("time,watts\n2,2\n1,2\n", "times that rise"),
        ("time,watts\n1,nan\n", "finite numbers"),
    ],
)
def test_a_meters_file_that_is_none(tmp_path, text, message):
    (tmp_path / "meter.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        power.meter(tmp_path / "meter.csv", Sensors(tmp_path))


def test_a_meters_file_with_volts_and_amps_and_a_line_half_written(tmp_path):
    path = tmp_path / "meter.csv"
    path.write_text("Time, Volts, Amps\n2100-01-01T00:00:00Z,5,0.5\n2100-01-01T00:00:01+00:00,5,0.6\n2100-01-01T0")
    read = power.meter(path, Sensors(tmp_path)).stop()
    assert read.watts.tolist() == [2.5, 3.0]
    assert np.diff(read.times).tolist() == [1.0]


def test_a_bench_with_a_meters_file(made, tmp_path, monkeypatch):
    """A file whose rows reach over the time of the test, at 2 W always."""
    now = time.time()
    (tmp_path / "meter.csv").write_text(
        "time,watts\n" + "".join(f"{now - 1 + 0.02 * n:.3f},2\n" for n in range(30_000))
    )
    monkeypatch.setattr(energy, "RATHER_SECONDS", 0.1)
    report = bench(made / "int8.tflite", kernels=["builtin"], threads=[1], seconds=0.05, meter=tmp_path / "meter.csv")
    assert report.power.idle_watts == pytest.approx(2.0)
    (row,) = report.results
    assert (row.energy.watts, row.energy.millijoules) == (pytest.approx(2.0), pytest.approx(0.0, abs=1e-6))
    assert "by meter.csv, less what the machine takes idle (2 W)" in table(report)
    (tmp_path / "short.csv").write_text("time,watts\n1,2\n")
    monkeypatch.setattr(power, "_PATIENCE", 0.0)
    report = bench(made / "int8.tflite", kernels=["builtin"], threads=[1], seconds=0.05, meter=tmp_path / "short.csv")
    assert report.results[0].energy is None and report.power.idle_watts is None
    assert "energies are missing" in table(report)
