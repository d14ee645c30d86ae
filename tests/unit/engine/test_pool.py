"""The pool keeps its promises with real children: killed, slow, greedy, cancelled, recycled."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from filmroll.engine.pool import EnginePool
from filmroll.engine.process import Bounds
from filmroll.errors import (
    CorruptImage,
    EngineCrashed,
    InternalError,
    Overloaded,
    ProcessingLimit,
    UnsupportedMedia,
)
from filmroll.instructions import parse
from filmroll.limits import Limits
from filmroll.model import Problem
from filmroll.ports import Picture
from tests import samples
from tests.unit.engine.pictures import LADYBIRD, flat, load

SMALL = [parse("resize:width=60")]
SLOW = [parse("resize:width=4000,height=4000,fit=fill,enlarge=true/output:format=avif,effort=9")]
LARGE = "output:format=png,effort=0"  # 2.7 MB
BEGUN = 0.4  # seconds after which a slow job is in full swing


def file(data: bytes = LADYBIRD) -> BinaryIO:
    handle = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the test
    handle.write(data)
    handle.seek(0)
    return handle


@asynccontextmanager
async def pool(
    size: int = 1, line: int | None = None, **bounds: object
) -> AsyncIterator[EnginePool]:
    engine = EnginePool(size, line, Bounds(**bounds))
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


async def eventually(condition: Callable[[], bool]) -> None:
    for _attempt in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to pass within 5 seconds")


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def works(engine: EnginePool) -> bool:
    with file() as source:
        [picture] = await engine.make(source, SMALL, {})
    return isinstance(picture, Picture) and load(picture.data).width == 60


async def test_variants_and_problems_come_in_order() -> None:
    wanted = [parse(text) for text in ("resize:width=60", "crop:width=9999", "output:format=webp")]
    async with pool() as engine:
        with file() as source:
            small, problem, same = await engine.make(source, wanted, {})
    assert isinstance(small, Picture)
    assert (small.width, small.height, load(small.data).width) == (60, 38, 60)
    assert isinstance(problem, Problem)
    assert problem.figures["pointer"] == "/0/width"
    assert isinstance(same, Picture)
    assert (same.format, load(same.data).width) == ("webp", 1200)


async def test_strip_of_over_100_mb_is_decoded_in_memory() -> None:
    # libvips would take a file for so much, which is forbidden.
    data = samples.webp(320, 240, frames=470)
    async with pool() as engine:
        with file(data) as source:
            [picture] = await engine.make(source, [parse("resize:width=200/output:effort=0")], {})
    assert isinstance(picture, Picture), picture
    assert (picture.frames, picture.width, picture.height) == (470, 200, 150)


async def test_many_steps_of_a_long_animation_fit_into_memory() -> None:
    steps = "resize:width=200/sharpen/watermark:text=Hello/round:radius=9/adjust:hue=9/flip:axis=x"
    data = samples.webp(240, 180, frames=100)
    async with pool(memory=800 << 20) as engine:
        with file(data) as source:
            [picture] = await engine.make(source, [parse(f"{steps}/output:effort=0")], {})
    assert isinstance(picture, Picture), picture
    assert picture.frames == 100


@pytest.mark.parametrize("memory", [300, 500])
@pytest.mark.parametrize("form", ["jpeg", "webp", "avif"])
async def test_result_that_its_encoder_has_no_memory_for_is_a_limit(form: str, memory: int) -> None:
    text = f"resize:width=10000,height=10000,fit=pad,background=ffffff/output:format={form}"
    async with pool(memory=memory << 20) as engine:
        with file() as source:
            [problem] = await engine.make(source, [parse(text)], {})
    assert isinstance(problem, Problem)
    assert problem.code == "processing-limit", problem


async def test_overlay_comes_by_descriptor() -> None:
    mark = "d" * 26
    wanted = [parse(f"watermark:image={mark},position=nw/output:format=png")]
    async with pool() as engine:
        with file() as source, file(flat(255, 0, 255).pngsave_buffer()) as overlay:
            [picture] = await engine.make(source, wanted, {mark: overlay})
    assert isinstance(picture, Picture)
    assert load(picture.data)(5, 5) == [255, 0, 255]


async def test_files_are_read_from_their_start_and_left_alone() -> None:
    async with pool(2) as engine:
        with file() as source:
            source.seek(1234)
            results = await asyncio.gather(*(engine.make(source, SMALL, {}) for _ in range(6)))
            assert source.tell() == 1234
    assert len({result[0].data for result in results}) == 1


async def test_deleted_file_can_still_be_read(tmp_path: Path) -> None:
    path = tmp_path / "gone.jpg"
    path.write_bytes(LADYBIRD)
    async with pool() as engine:
        with path.open("rb") as source:
            path.unlink()
            assert await engine.make(source, SMALL, {})


async def test_killed_child_costs_its_own_job_only() -> None:
    async with pool(2) as engine:
        with file() as source:
            [first, second] = engine.pids()
            doomed = asyncio.create_task(engine.make(source, SLOW, {}))
            await eventually(lambda: _busy(first) or _busy(second))
            victim = first if _busy(first) else second
            others = [asyncio.create_task(works(engine)) for _ in range(3)]
            os.kill(victim, signal.SIGKILL)
            with pytest.raises(EngineCrashed, match="signal 9"):
                await doomed
            assert all(await asyncio.gather(*others))
            assert not alive(victim)
            assert await works(engine)


def _busy(pid: int) -> bool:
    ticks = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11]
    return int(ticks) / os.sysconf("SC_CLK_TCK") > BEGUN


async def test_slow_job_is_ended() -> None:
    async with pool(seconds=0.7, stretch=30) as engine:  # only its own time counts
        [pid] = engine.pids()
        with file() as source, pytest.raises(ProcessingLimit) as caught:
            await engine.make(source, SLOW, {})
        assert caught.value.figures["limit"] == 0.7
        assert await works(engine)
        await eventually(lambda: not alive(pid))


async def test_job_that_the_machine_has_no_time_for_is_told_to_come_again() -> None:
    async with pool(seconds=0.7) as engine:
        [pid] = engine.pids()
        os.kill(pid, signal.SIGSTOP)  # as if all others came first
        with file() as source, pytest.raises(Overloaded, match="too busy") as caught:
            await engine.make(source, SMALL, {})
        assert caught.value.figures["retry_after"] == 10
        assert await works(engine)


def test_child_ends_itself_when_its_cpu_time_is_over() -> None:
    code = "from filmroll.engine.sandbox import allow_cpu; allow_cpu(0.5)\nwhile True: pass"
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=30)
    assert done.returncode == -signal.SIGXCPU


async def test_cpu_time_over_is_a_limit_not_a_crash() -> None:
    async with pool() as engine:
        [pid] = engine.pids()
        with file() as source:
            job = asyncio.create_task(engine.make(source, SLOW, {}))
            await eventually(lambda: _busy(pid))
            os.kill(pid, signal.SIGXCPU)
            with pytest.raises(ProcessingLimit):
                await job


async def test_memory_bomb_costs_its_own_job_only() -> None:
    bomb = samples.png_bomb(5_000)  # 75 MB as sRGB
    spin = [parse("rotate:angle=3/rotate:angle=3/rotate:angle=3/resize:width=100")]
    async with pool(memory=300 << 20) as engine:
        with file(bomb) as source:
            try:
                [result] = await engine.make(source, spin, {})
            except ProcessingLimit as error:
                result = Problem.of(error)
        assert isinstance(result, Problem)
        assert result.code == "processing-limit"
        assert "memory" in result.detail
        assert await works(engine)


async def test_output_is_bounded_variant_by_variant() -> None:
    texts = (LARGE, "resize:width=60", LARGE, "resize:width=61")
    async with pool(output=4 << 20) as engine:
        with file() as source:
            results = await engine.make(source, [parse(text) for text in texts], {})
        assert await works(engine)
    large, small, refused, also_small = results
    assert all(isinstance(each, Picture) for each in (large, small, also_small))
    assert isinstance(refused, Problem)
    assert refused.code == "processing-limit"
    assert "4 MiB" in refused.detail


async def test_more_output_than_was_allowed_is_taken_for_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with pool() as engine:
        [supervisor] = engine._supervisors
        assert supervisor._child
        monkeypatch.setattr(supervisor._child, "_bounds", Bounds(output=1000))
        with file() as source, pytest.raises(EngineCrashed):
            await engine.make(source, SMALL, {})
        assert await works(engine)


async def test_large_output_arrives_whole() -> None:
    texts = [f"rotate:angle={angle}/{LARGE}" for angle in (90, 180, 270)]
    async with pool() as engine:
        with file() as source:
            results = await engine.make(source, [parse(text) for text in texts], {})
    for result in results:
        assert isinstance(result, Picture)
        assert len(result.data) > 2 << 20
        assert load(result.data).avg() > 0  # decoded to the end


async def test_full_line_is_refused_at_once() -> None:
    async with pool(1, line=1) as engine:
        with file() as source:
            running = [asyncio.create_task(engine.make(source, SLOW, {})) for _ in range(2)]
            await asyncio.sleep(0.05)
            with pytest.raises(Overloaded) as caught:
                async with asyncio.timeout(0.1):
                    await engine.make(source, SMALL, {})
            assert caught.value.figures["retry_after"] == 1
            for job in running:
                job.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            assert await works(engine)


async def test_cancelled_job_frees_its_place() -> None:
    async with pool() as engine:
        [pid] = engine.pids()
        with file() as source:
            job = asyncio.create_task(engine.make(source, SLOW, {}))
            await eventually(lambda: _busy(pid))
            waiting = asyncio.create_task(engine.make(source, SMALL, {}))
            await asyncio.sleep(0)
            waiting.cancel()
            job.cancel()
            done = await asyncio.gather(job, waiting, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in done)
        assert await works(engine)
        await eventually(lambda: not alive(pid))


async def test_child_is_recycled_after_its_jobs() -> None:
    async with pool(jobs=2) as engine:
        before = engine.pids()
        assert await works(engine)
        assert engine.pids() == before
        assert await works(engine)
        assert await works(engine)
        assert engine.pids() != before


async def test_child_that_holds_much_memory_is_recycled() -> None:
    async with pool(resident=1 << 20) as engine:
        before = engine.pids()
        assert await works(engine)
        assert await works(engine)
        assert not set(engine.pids()) & set(before)


async def test_children_know_no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FILMROLL_SECRET", "hush")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    with (tmp_path / "secret").open("w") as inheritable:
        os.set_inheritable(inheritable.fileno(), True)  # noqa: FBT003 -- the library's signature
        async with pool() as engine:
            [pid] = engine.pids()
            known, files, limits = _seen(pid)
    assert b"hush" not in known
    assert b"FILMROLL" not in known
    assert "secret" not in files
    assert "Max address space         2147483648" in limits
    assert "Max file size             0 " in limits
    assert "Max core file size        0 " in limits


def _seen(pid: int) -> tuple[bytes, list[str], str]:
    """Return what the system tells of a process: environment, names of open files, limits."""
    proc = Path(f"/proc/{pid}")
    files = [link.readlink().name for link in (proc / "fd").iterdir()]
    return (proc / "environ").read_bytes(), files, (proc / "limits").read_text()


async def test_children_do_not_outlive_a_killed_parent() -> None:
    code = """
import asyncio, sys, tempfile
from filmroll.engine.pool import EnginePool
from filmroll.instructions import parse
async def main():
    pool = EnginePool(1)
    await pool.start()
    print(*pool.pids(), flush=True)
    await pool.make(open(sys.argv[1], "rb"), [parse(sys.argv[2])], {})
asyncio.run(main())
"""
    with tempfile.NamedTemporaryFile() as source:
        source.write(LADYBIRD)
        source.flush()
        arguments = [sys.executable, "-c", code, source.name, SLOW[0].canonical()]
        parent = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE)
        assert parent.stdout
        pid = int(await parent.stdout.readline())
        await eventually(lambda: _busy(pid))
        parent.kill()
        await parent.wait()
        await eventually(lambda: not alive(pid))


def test_a_child_starts_without_what_only_its_parent_needs() -> None:
    code = "import filmroll.engine.child, sys; sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


async def test_close_leaves_nothing_behind() -> None:
    engine = EnginePool(2)
    await engine.start()
    pids = engine.pids()
    with file() as source:
        job = asyncio.create_task(engine.make(source, SLOW, {}))
        await asyncio.sleep(0.1)
        await engine.close()
        assert not any(alive(pid) for pid in pids)
        with pytest.raises(Overloaded):  # no blame falls on the image
            await job
    await engine.close()


async def test_close_does_not_wait_for_a_start() -> None:
    engine = EnginePool(1)
    starting = asyncio.create_task(engine.start())
    await eventually(lambda: bool(engine.pids()))
    [pid] = engine.pids()
    async with asyncio.timeout(5):
        await engine.close()
        with pytest.raises(Overloaded):
            await starting
    assert not alive(pid)


async def test_child_that_died_idle_costs_no_job() -> None:
    async with pool() as engine:
        [pid] = engine.pids()
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.1)
        assert await works(engine)


async def test_engine_that_does_not_start_blames_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    engine = EnginePool(1)
    with file() as source, pytest.raises(InternalError) as caught:
        await engine.make(source, SMALL, {})
    assert "exit code 1" in str(caught.value.__cause__.__cause__)
    await engine.close()


@pytest.mark.parametrize("name", samples.NOT_IMAGES)
async def test_child_refuses_what_is_no_image(name: str) -> None:
    async with pool() as engine:
        pids = engine.pids()
        with file(samples.NOT_IMAGES[name]) as source, pytest.raises(UnsupportedMedia):
            await engine.make(source, SMALL, {})
        assert engine.pids() == pids  # refused, not crashed


async def test_child_survives_damaged_sources() -> None:
    async with pool() as engine:
        pids = engine.pids()
        for data in (samples.truncated(LADYBIRD, 0.5), LADYBIRD[:100]):
            with file(data) as source, pytest.raises(CorruptImage):
                await engine.make(source, SMALL, {})
        with file(b"") as source, pytest.raises(UnsupportedMedia):
            await engine.make(source, SMALL, {})
        assert await works(engine)
        assert engine.pids() == pids


async def test_limits_reach_the_child() -> None:
    async with pool(limits=Limits(max_pixels=1000)) as engine:
        with file() as source, pytest.raises(Exception, match="900000; at most 1000"):
            await engine.make(source, SMALL, {})


async def test_check_names_formats_and_versions() -> None:
    async with pool() as engine:
        report = await engine.check()
    assert report["formats_in"] == report["formats_out"] == ", ".join(samples.FORMATS)
    assert report["libvips"].startswith("8.18.")


async def test_text_needs_no_font_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONTCONFIG_FILE", "/nowhere")  # children take theirs from the package
    wanted = [parse("watermark:text=Filmroll,size=200,position=center/output:format=png")]
    async with pool() as engine:
        with file(flat(0, 0, 0, width=600, height=200).pngsave_buffer()) as source:
            [picture] = await engine.make(source, wanted, {})
    assert isinstance(picture, Picture)
    image = load(picture.data)
    assert image.max() == 255
    assert 20 < image.avg() < 120
