"""The catalog in memory: for tests, and for trying Filmroll without leaving a trace."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Collection, Mapping, Sequence
from math import inf

from filmroll.catalog import cursor as cursors
from filmroll.catalog import rules
from filmroll.catalog.memory.uploads import Uploads
from filmroll.model import (
    AccessKey,
    IdempotentRequest,
    Image,
    Info,
    Job,
    KeptSource,
    Outcome,
    Preset,
    SigningKey,
    Variant,
    WebhookDelivery,
    distance,
    now,
)
from filmroll.ports import ImageFilter, ImagePage, Similar

__all__ = ["MemoryCatalog"]


class MemoryCatalog(Uploads):
    """Dictionaries of records. No method awaits anything, so each is one atomic step."""

    def __init__(self) -> None:
        super().__init__()
        self._purges: dict[str, float] = {}
        self._purged_once: set[str] = set()
        self._variants: dict[tuple[str, str], Variant] = {}
        self._infos: dict[str, Info] = {}
        self._sources: dict[str, KeptSource] = {}
        self._presets: dict[str, Preset] = {}
        self._access_keys: dict[str, AccessKey] = {}
        self._signing_keys: dict[str, SigningKey] = {}
        self._requests: dict[str, IdempotentRequest] = {}

    async def add_image(
        self, image: Image, job: Job | None, deliveries: Sequence[WebhookDelivery] = ()
    ) -> Image:
        if image.id not in self._images:
            self._images[image.id] = image
            if job is not None:
                self._jobs.setdefault(job.id, job)
            self._write_deliveries(deliveries)
        return self._images[image.id]

    async def get_image(self, image: str) -> Image | None:
        return self._images.get(image)

    async def update_image(self, image: Image) -> bool:
        updated = rules.updated(self._images.get(image.id), image)
        if updated is not None:
            self._images[image.id] = updated
        return updated is not None

    async def list_images(self, where: ImageFilter, limit: int, cursor: str | None) -> ImagePage:
        matching = [
            image
            for image in self._images.values()
            if rules.matches(image, where) and self._looks(image.id, where.similar)
        ]
        found = cursors.newest(matching, cursors.position(cursor, where))
        items, following = cursors.page(found, limit, where)
        return ImagePage(items=items, next_cursor=following)

    async def bury_image(
        self, image: str, purge_at: float, deliveries: Sequence[WebhookDelivery] = ()
    ) -> bool:
        tombstone = rules.buried(self._images.get(image))
        if tombstone is None:
            return False
        self._images[image] = tombstone
        self._purges[image] = purge_at
        for job in self._jobs.values():
            if job.image == image:
                self._jobs[job.id] = rules.cancelled(job, now())
                self._end_line(self._jobs[job.id])
        self._write_deliveries(deliveries)
        return True

    async def drop_variants(self, image: str) -> Sequence[str]:
        if rules.live(self._images.get(image)):
            return ()
        recipes = [variant.recipe for variant in self._variants_of(image)]
        for recipe in recipes:
            del self._variants[image, recipe]
        self._infos.pop(image, None)
        return recipes

    async def find_images(self, sha256s: Sequence[str]) -> Mapping[str, Image]:
        live = {image.sha256: image for image in self._images.values() if rules.live(image)}
        return {sha256: live[sha256] for sha256 in sha256s if sha256 in live}

    async def which_live(self, images: Collection[str]) -> Collection[str]:
        return {image for image in images if rules.live(self._images.get(image))}

    async def due_purges(self, before: float, limit: int) -> Sequence[str]:
        due = [image for image, purge_at in self._purges.items() if purge_at <= before]
        return sorted(due, key=self._purges.__getitem__)[:limit]

    async def purged(self, image: str, before: float, again_at: float) -> None:
        if self._purges.get(image, inf) > before:
            return
        del self._purges[image]
        if image not in self._purged_once:
            self._purges[image] = again_at
            self._purged_once.add(image)

    async def get_variant(self, image: str, recipe: str) -> Variant | None:
        return self._variants.get((image, recipe))

    async def list_variants(self, image: str) -> Sequence[Variant]:
        found = self._variants_of(image)
        return sorted(found, key=lambda variant: (variant.created_at, variant.recipe))

    async def put_variants(self, image: str, variants: Sequence[Variant]) -> bool:
        if not rules.live(self._images.get(image)):
            return False
        self._put_variants(variants)
        return True

    async def get_info(self, image: str) -> Info | None:
        return self._infos.get(image)

    async def put_info(self, image: str, info: Info) -> bool:
        if not rules.live(self._images.get(image)):
            return False
        self._infos[image] = info
        return True

    async def add_job(self, job: Job) -> None:
        self._jobs.setdefault(job.id, rules.added(job, self._images.get(job.image)))

    async def get_job(self, job: str) -> Job | None:
        return self._jobs.get(job)

    async def claim_job(self, job: str, now: float, lease: float) -> Job | None:
        claimed = rules.claimed(self._jobs.get(job), now, lease)
        if claimed is not None:
            self._jobs[job] = claimed
        return claimed

    async def extend_job(self, job: Job, until: float) -> bool:
        extended = rules.extended(self._jobs.get(job.id), job, until)
        if extended is not None:
            self._jobs[job.id] = extended
        return extended is not None

    async def release_job(self, job: Job, due_at: float) -> bool:
        released = rules.released(self._jobs.get(job.id), job, due_at)
        if released is not None:
            self._jobs[job.id] = released
        return released is not None

    async def finish_job(
        self,
        job: Job,
        image: Image | Outcome | None,
        variants: Sequence[Variant],
        deliveries: Sequence[WebhookDelivery] = (),
    ) -> bool:
        stored = self._images.get(job.image)
        if not rules.same_attempt(self._jobs.get(job.id), job):
            return False
        if job.image and not rules.live(stored):
            return False
        self._jobs[job.id] = job
        self._end_line(job)
        self._end_upload(job)
        self._put_variants(variants)
        if image is not None and stored is not None:
            self._images[stored.id] = rules.advanced(stored, image)
        self._write_deliveries(deliveries)
        return True

    async def cancel_job(self, job: str, now: float) -> Job | None:
        stored = self._jobs.get(job)
        if stored is None or stored.state.final:
            return stored
        self._jobs[job] = rules.cancelled(stored, now)
        self._end_line(self._jobs[job])
        self._end_upload(self._jobs[job])
        made = {variant.instructions for variant in self._variants_of(stored.image)}
        image = rules.settled(self._images.get(stored.image), stored, made)
        if image is not None:
            self._images[image.id] = image
        return self._jobs[job]

    async def due_jobs(self, before: float, limit: int) -> Sequence[Job]:
        due = [job for job in self._jobs.values() if not job.state.final and job.due_at <= before]
        return sorted(due, key=lambda job: job.due_at)[:limit]

    async def postpone_jobs(self, jobs: Sequence[Job], due_at: float) -> None:
        for job in jobs:
            stored = self._jobs.get(job.id)
            if stored is not None:
                self._jobs[job.id] = rules.postponed(stored, job, due_at)

    async def expire_jobs(self, before: float) -> None:
        ended = {job.id for job in self._jobs.values() if (job.finished_at or before) < before}
        for job in ended:
            del self._jobs[job]

    async def get_source(self, source: str) -> KeptSource | None:
        return self._sources.get(source)

    async def put_source(self, source: KeptSource) -> bool:
        follows = rules.follows(self._sources.get(source.id), source)
        if follows:
            self._sources[source.id] = source
        return follows

    async def put_preset(self, preset: Preset, deliveries: Sequence[WebhookDelivery] = ()) -> None:
        stored = self._presets.get(preset.name)
        self._presets[preset.name] = rules.kept_preset(stored, preset)
        self._write_deliveries(deliveries)

    async def get_presets(self, names: Sequence[str]) -> Mapping[str, Preset]:
        return {name: self._presets[name] for name in names if name in self._presets}

    async def list_presets(self) -> Sequence[Preset]:
        return sorted(self._presets.values(), key=lambda preset: preset.name)

    async def delete_preset(self, name: str, deliveries: Sequence[WebhookDelivery] = ()) -> bool:
        if self._presets.pop(name, None) is None:
            return False
        self._write_deliveries(deliveries)
        return True

    async def add_access_key(self, key: AccessKey) -> None:
        self._access_keys.setdefault(key.id, key)

    async def find_access_key(self, hash_: str) -> AccessKey | None:
        return next((key for key in self._access_keys.values() if key.hash == hash_), None)

    async def list_access_keys(self) -> Sequence[AccessKey]:
        return sorted(self._access_keys.values(), key=lambda key: (key.created_at, key.id))

    async def add_signing_key(self, key: SigningKey) -> None:
        self._signing_keys.setdefault(key.id, key)

    async def list_signing_keys(self) -> Sequence[SigningKey]:
        return sorted(self._signing_keys.values(), key=lambda key: (key.created_at, key.id))

    async def revoke_key(self, key: str, now: float) -> bool:
        if key in self._access_keys:
            self._access_keys[key] = rules.revoked(self._access_keys[key], now)
        if key in self._signing_keys:
            self._signing_keys[key] = rules.revoked(self._signing_keys[key], now)
        return key in self._access_keys or key in self._signing_keys

    async def begin_request(self, request: IdempotentRequest, now: float) -> IdempotentRequest:
        holder = rules.holder(self._requests.get(request.key), request, now)
        self._requests[request.key] = holder
        return holder

    async def finish_request(self, request: IdempotentRequest) -> None:
        if rules.holds(self._requests.get(request.key), request):
            self._requests[request.key] = request

    async def drop_request(self, request: IdempotentRequest) -> None:
        if rules.holds(self._requests.get(request.key), request):
            del self._requests[request.key]

    async def expire_requests(self, now: float) -> None:
        kept = {key: each for key, each in self._requests.items() if each.expires_at > now}
        self._requests = kept

    async def settle(self) -> int:
        return 0

    async def check(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def _variants_of(self, image: str) -> list[Variant]:
        return [variant for (owner, _), variant in self._variants.items() if owner == image]

    def _looks(self, image: str, similar: Similar | None) -> bool:
        if similar is None:
            return True
        info = self._infos.get(image)
        if info is None or info.phash is None:
            return False
        return distance(info.phash, similar.phash) <= similar.distance

    def _put_variants(self, variants: Sequence[Variant]) -> None:
        for variant in variants:
            self._variants[variant.image, variant.recipe] = variant
