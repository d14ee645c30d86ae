"""What ports.Catalog promises of presets, keys and idempotent requests, of every adapter."""

import asyncio
from dataclasses import replace

from filmroll.model import AccessKey, IdempotentRequest, Preset, Scope, SigningKey

# Far from now: DynamoDB itself drops an item within a minute or days once its time is over.
NOW = 4e9
REQUEST = IdempotentRequest(key="k", fingerprint="f", expires_at=NOW + 1000, locked_until=NOW + 130)
ANSWERED = replace(REQUEST, status=201, headers={"Location": "/v1/images/ä"}, body='{"id": "ä"}')


def preset(name: str, at: float = 1.0, instructions: str = "resize:width=1") -> Preset:
    return Preset(name=name, instructions=instructions, created_at=at, updated_at=at)


async def test_presets(catalog):
    for name in ("b", "a", "c"):
        await catalog.put_preset(preset(name))
    assert await catalog.list_presets() == [preset(name) for name in "abc"]
    assert await catalog.get_presets(["c", "none", "a"]) == {"a": preset("a"), "c": preset("c")}
    assert await catalog.delete_preset("b")
    assert not await catalog.delete_preset("b")
    assert await catalog.list_presets() == [preset("a"), preset("c")]


async def test_a_preset_keeps_when_it_was_first_made(catalog):
    await catalog.put_preset(preset("a", 1.0))
    await catalog.put_preset(preset("a", 2.0, "flip"))
    assert await catalog.list_presets() == [replace(preset("a", 2.0, "flip"), created_at=1.0)]


async def test_access_keys(catalog):
    young, old = (
        AccessKey(id=id_, name="ä", hash=id_ * 2, scopes=(Scope.UPLOAD, Scope.READ), created_at=at)
        for id_, at in (("young", 2.0), ("old", 1.0))
    )
    for key in (young, old):
        await catalog.add_access_key(key)
    assert await catalog.list_access_keys() == [old, young]
    assert await catalog.find_access_key("oldold") == old
    assert await catalog.find_access_key("none") is None
    assert await catalog.revoke_key("old", 5.0)
    assert await catalog.revoke_key("old", 9.0)
    assert await catalog.find_access_key("oldold") == replace(old, revoked_at=5.0)
    assert await catalog.list_access_keys() == [replace(old, revoked_at=5.0), young]


async def test_signing_keys(catalog):
    young, old = (SigningKey(id=id_, secret="s", created_at=at) for id_, at in (("y", 2), ("o", 1)))
    for key in (young, old):
        await catalog.add_signing_key(key)
    assert await catalog.revoke_key("y", 5.0)
    assert not await catalog.revoke_key("none", 5.0)
    assert await catalog.list_signing_keys() == [old, replace(young, revoked_at=5.0)]
    assert await catalog.list_access_keys() == []


async def test_a_free_key_is_claimed_by_one(catalog):
    rivals = [replace(REQUEST, fingerprint=str(number)) for number in range(64)]
    holders = await asyncio.gather(*(catalog.begin_request(rival, NOW + 100) for rival in rivals))
    assert len(set(map(str, holders))) == 1
    assert holders[0] in rivals


async def test_a_claim_is_taken_over_when_its_lock_is_over(catalog):
    await catalog.begin_request(REQUEST, NOW + 100)
    again = replace(REQUEST, locked_until=NOW + 160)
    assert await catalog.begin_request(again, NOW + 129) == REQUEST
    assert await catalog.begin_request(replace(again, fingerprint="other"), NOW + 130) == REQUEST
    assert await catalog.begin_request(again, NOW + 130) == again
    assert await catalog.begin_request(REQUEST, NOW + 159) == again


async def test_an_answer_is_kept_until_it_expires(catalog):
    await catalog.begin_request(REQUEST, NOW + 100)
    await catalog.finish_request(ANSWERED)
    assert await catalog.begin_request(REQUEST, NOW + 999) == ANSWERED
    new = replace(REQUEST, fingerprint="new", expires_at=NOW + 2000)
    assert await catalog.begin_request(new, NOW + 1000) == new


async def test_the_first_answer_stays(catalog):
    await catalog.begin_request(REQUEST, NOW + 100)
    await catalog.finish_request(ANSWERED)
    await catalog.finish_request(replace(ANSWERED, status=500))
    await catalog.finish_request(replace(ANSWERED, fingerprint="other"))
    await catalog.drop_request(REQUEST)
    assert await catalog.begin_request(REQUEST, NOW + 100) == ANSWERED


async def test_who_lost_a_key_neither_answers_nor_frees_it(catalog):
    await catalog.begin_request(REQUEST, NOW + 100)
    second = replace(REQUEST, locked_until=NOW + 160)
    await catalog.begin_request(second, NOW + 130)
    await catalog.drop_request(REQUEST)
    await catalog.finish_request(ANSWERED)
    assert await catalog.begin_request(REQUEST, NOW + 140) == second
    answered = replace(second, status=200)
    await catalog.finish_request(answered)
    assert await catalog.begin_request(REQUEST, NOW + 140) == answered


async def test_a_dropped_key_is_free(catalog):
    await catalog.begin_request(REQUEST, NOW + 100)
    await catalog.drop_request(REQUEST)
    await catalog.drop_request(replace(REQUEST, key="none"))
    other = replace(REQUEST, fingerprint="other")
    assert await catalog.begin_request(other, NOW + 100) == other


async def test_old_answers_are_forgotten(catalog):
    requests = [replace(REQUEST, key=str(n), expires_at=NOW + n) for n in range(1100)]
    await asyncio.gather(*(catalog.begin_request(request, NOW) for request in requests))
    await catalog.expire_requests(NOW + 1050)
    fresh = [replace(request, fingerprint="new") for request in requests]
    assert await catalog.begin_request(fresh[1050], NOW) == fresh[1050]
    assert await catalog.begin_request(fresh[1051], NOW) == requests[1051]


async def test_a_check_leaves_nothing(catalog):
    await catalog.check()
    assert await catalog.list_presets() == []
