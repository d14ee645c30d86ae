"""The manifests as kustomize renders them: valid, consistent, and in step with the code."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from deploy.local.process import clean_environment
from filmroll.cli.roles import _PORTS
from filmroll.model import Lane
from filmroll.queues.sqs.definitions import define_queues
from filmroll.settings import Role, Settings, load
from filmroll.web.operations import operations

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
KUBECTL = Path(sys.executable).with_name("kubectl")
ROLES = [role for role in Role if role is not Role.ALL]
# Since 1.30 a pod can pause before it is stopped without a program of its own.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]
NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"

Manifest = Mapping[str, Any]


def _closed(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


# KEDA's own schemas come with its operator only. These were written by hand from its documentation,
# and hold what is used here.
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_REFERENCE = _closed({"name": {"type": "string"}}, "name")
_KEDA = {
    "ScaledObject": _closed(
        {
            "scaleTargetRef": _REFERENCE,
            "pollingInterval": {"type": "integer", "minimum": 1},
            "minReplicaCount": {"type": "integer", "minimum": 1},
            "maxReplicaCount": {"type": "integer", "minimum": 1},
            "advanced": _closed(
                {"horizontalPodAutoscalerConfig": _closed({"behavior": {"type": "object"}})}
            ),
            "triggers": {
                "type": "array",
                "items": _closed(
                    {
                        "type": {"enum": ["aws-sqs-queue", "cpu"]},
                        "metricType": {"enum": ["Utilization", "AverageValue"]},
                        "authenticationRef": _REFERENCE,
                        "metadata": _TEXTS,
                    },
                    "type",
                    "metadata",
                ),
            },
        },
        "scaleTargetRef",
        "triggers",
    ),
    "TriggerAuthentication": _closed(
        {"podIdentity": _closed({"provider": {"enum": ["aws"]}}, "provider")}, "podIdentity"
    ),
}


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return _rendered("overlays/example")


def _rendered(folder: str) -> list[Manifest]:
    made = subprocess.run(
        [KUBECTL, "kustomize", FOLDER / folder], check=True, capture_output=True, text=True
    )
    assert not made.stderr, made.stderr
    return list(yaml.safe_load_all(made.stdout))


def _of(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in manifests if each["kind"] == kind}


def _pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    workloads = _of(manifests, "Deployment") | _of(manifests, "Job")
    return {name: each["spec"]["template"] for name, each in workloads.items()}


def _container(pod: Manifest) -> Manifest:
    (container,) = pod["spec"]["containers"]
    return container


def _settings(manifests: list[Manifest]) -> dict[str, str]:
    (found,) = (
        each["data"]
        for name, each in _of(manifests, "ConfigMap").items()
        if name.startswith("filmroll-settings")
    )
    return found


def _validate(manifest: Manifest, version: str) -> None:
    if manifest["apiVersion"] == "keda.sh/v1alpha1":
        jsonschema.validate(manifest["spec"], _KEDA[manifest["kind"]])
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", ["base", "overlays/example"])
def test_every_manifest_follows_its_schema(folder: str, version: str) -> None:
    for manifest in _rendered(folder):
        _validate(manifest, version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["Deployment", "ScaledObject", "HorizontalPodAutoscaler"])
def test_a_misspelt_field_would_be_found(
    manifests: list[Manifest], kind: str, version: str
) -> None:
    manifest = next(iter(_of(manifests, kind).values()))
    with pytest.raises((kubernetes_validate.ValidationError, jsonschema.ValidationError)):
        _validate({**manifest, "spec": {**manifest["spec"], "replica": 2}}, version)


def test_the_example_leaves_nothing_to_fill_in(manifests: list[Manifest]) -> None:
    assert "CHANGE-ME" not in yaml.safe_dump_all(manifests)


def test_everything_is_in_one_namespace(manifests: list[Manifest]) -> None:
    (namespace,) = _of(manifests, "Namespace")
    placed = [each for each in manifests if each["kind"] != "Namespace"]
    assert {each["metadata"]["namespace"] for each in placed} == {namespace}


def test_there_is_no_secret(manifests: list[Manifest]) -> None:
    assert not _of(manifests, "Secret")


def test_each_role_has_all_that_belongs_to_it(manifests: list[Manifest]) -> None:
    names = {f"filmroll-{role}" for role in ROLES}
    assert set(_of(manifests, "Deployment")) == names
    assert set(_of(manifests, "Service")) == names
    assert set(_of(manifests, "PodDisruptionBudget")) == names
    scaled = {**_of(manifests, "HorizontalPodAutoscaler"), **_of(manifests, "ScaledObject")}
    assert {each["spec"]["scaleTargetRef"]["name"] for each in scaled.values()} == names


def test_every_selector_finds_the_pods_of_its_role(manifests: list[Manifest]) -> None:
    for role in ROLES:
        name = f"filmroll-{role}"
        labels = {NAME: "filmroll", COMPONENT: role.value}
        deployment = _of(manifests, "Deployment")[name]["spec"]
        assert deployment["template"]["metadata"]["labels"] == labels
        assert deployment["selector"]["matchLabels"] == labels
        assert _of(manifests, "Service")[name]["spec"]["selector"] == labels
        budget = _of(manifests, "PodDisruptionBudget")[name]["spec"]
        assert budget["selector"]["matchLabels"] == labels
        spread = deployment["template"]["spec"]["topologySpreadConstraints"]
        assert [each["labelSelector"]["matchLabels"] for each in spread] == [labels] * 2


def test_ports_are_those_of_the_code(manifests: list[Manifest]) -> None:
    for role in ROLES:
        (port,) = _container(_pods(manifests)[f"filmroll-{role}"])["ports"]
        assert port == {"name": "http", "containerPort": _PORTS[role]}
        (service,) = _of(manifests, "Service")[f"filmroll-{role}"]["spec"]["ports"]
        assert service == {"name": "http", "port": _PORTS[role], "targetPort": "http"}
    assert _settings(manifests)["FILMROLL_WORKER_URL"] == (
        f"http://filmroll-worker:{_PORTS[Role.WORKER]}"
    )


def test_the_arguments_are_commands(manifests: list[Manifest]) -> None:
    commands = {name: _container(pod)["args"] for name, pod in _pods(manifests).items()}
    assert commands == {f"filmroll-{role}": [role.value] for role in ROLES} | {
        "filmroll-init": ["init"]
    }


def test_the_way_in_leads_delivery_to_the_download_api_and_the_rest_to_the_other(
    manifests: list[Manifest],
) -> None:
    (ingress,) = _of(manifests, "Ingress").values()
    (rule,) = ingress["spec"]["rules"]
    assert [_route(path) for path in rule["http"]["paths"]] == [
        ("/i", "Prefix", "filmroll-download-api", "http"),
        ("/", "Prefix", "filmroll-upload-api", "http"),
    ]
    assert _settings(manifests)["FILMROLL_PUBLIC_URL"] == f"https://{rule['host']}"
    assert [each["hosts"] for each in ingress["spec"]["tls"]] == [[rule["host"]]]


def _route(path: Manifest) -> tuple[str, ...]:
    service = path["backend"]["service"]
    return path["path"], path["pathType"], service["name"], service["port"]["name"]


def test_bodies_pass_the_way_in_unbounded_and_at_once(manifests: list[Manifest]) -> None:
    (ingress,) = _of(manifests, "Ingress").values()
    notes = ingress["metadata"]["annotations"]
    prefix = "nginx.ingress.kubernetes.io"
    assert all(name.startswith(f"{prefix}/") for name in notes)
    assert notes[f"{prefix}/proxy-body-size"] == "0"
    assert notes[f"{prefix}/proxy-request-buffering"] == "off"


def test_only_the_apis_reach_the_workers(manifests: list[Manifest]) -> None:
    (policy,) = (each["spec"] for each in _of(manifests, "NetworkPolicy").values())
    assert policy["podSelector"]["matchLabels"] == {NAME: "filmroll", COMPONENT: "worker"}
    assert policy["policyTypes"] == ["Ingress"]
    (rule,) = policy["ingress"]
    assert [each["podSelector"]["matchLabels"] for each in rule["from"]] == [
        {NAME: "filmroll", COMPONENT: role.value} for role in (Role.UPLOAD, Role.DOWNLOAD)
    ]
    assert rule["ports"] == [{"port": "http"}]


def test_probes_ask_pages_that_there_are_and_liveness_not_the_stores(
    manifests: list[Manifest],
) -> None:
    pages = {route.path for route in operations(None).routes}  # type: ignore[arg-type]
    for role in ROLES:
        container = _container(_pods(manifests)[f"filmroll-{role}"])
        asked = {
            kind: container[f"{kind}Probe"]["httpGet"]
            for kind in ("startup", "liveness", "readiness")
        }
        assert {each["path"] for each in asked.values()} <= pages
        assert {each["port"] for each in asked.values()} == {"http"}
        assert asked["liveness"]["path"] == asked["startup"]["path"] == "/healthz"
        assert asked["readiness"]["path"] == "/readyz"


def test_a_pod_has_the_time_to_drain(manifests: list[Manifest]) -> None:
    drain = float(_settings(manifests)["FILMROLL_DRAIN_SECONDS"])
    for role in ROLES:
        pod = _pods(manifests)[f"filmroll-{role}"]
        pause = _container(pod)["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod["spec"]["terminationGracePeriodSeconds"] > pause + 2 * drain
        assert pause >= 5


def test_the_queues_that_are_watched_are_those_that_are_made(manifests: list[Manifest]) -> None:
    (scaled,) = _of(manifests, "ScaledObject").values()
    triggers = scaled["spec"]["triggers"]
    watched = [each for each in triggers if each["type"] == "aws-sqs-queue"]
    prefix = _settings(manifests)["FILMROLL_QUEUE"].removeprefix("sqs://").partition("?")[0]
    names = [each["metadata"]["queueURL"] for each in watched]
    assert names == [f"{prefix}-{lane}" for lane in (Lane.BULK, Lane.INTERACTIVE)]
    assert set(names) <= {queue.name for queue in define_queues(prefix, 5)}
    regions = {each["metadata"]["awsRegion"] for each in watched}
    assert regions == {_settings(manifests)["AWS_REGION"]}
    (secured,) = _of(manifests, "TriggerAuthentication")
    assert {each["authenticationRef"]["name"] for each in watched} == {secured}
    assert [each["type"] for each in triggers if each not in watched] == ["cpu"]


def test_an_autoscaler_decides_alone_and_keeps_more_than_may_be_away(
    manifests: list[Manifest],
) -> None:
    least = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"]["minReplicas"]
        for each in _of(manifests, "HorizontalPodAutoscaler").values()
    }
    (scaled,) = _of(manifests, "ScaledObject").values()
    least[scaled["spec"]["scaleTargetRef"]["name"]] = scaled["spec"]["minReplicaCount"]
    for name, deployment in _of(manifests, "Deployment").items():
        assert "replicas" not in deployment["spec"]
        budget = _of(manifests, "PodDisruptionBudget")[name]["spec"]
        assert least[name] > budget["maxUnavailable"]
        assert "cpu" in _container(deployment["spec"]["template"])["resources"]["requests"]


def test_pods_are_as_restricted_as_their_namespace_demands(manifests: list[Manifest]) -> None:
    (namespace,) = _of(manifests, "Namespace").values()
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in _pods(manifests).values():
        spec, container = pod["spec"], _container(pod)
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"requests", "limits"} <= set(container["resources"])
        bounded = {each["name"] for each in spec["volumes"] if "sizeLimit" in each["emptyDir"]}
        mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
        assert set(mounts) == {"/data", "/tmp"}
        assert set(mounts.values()) == bounded


def test_pods_run_as_the_account_there_is(manifests: list[Manifest]) -> None:
    (account,) = _of(manifests, "ServiceAccount").values()
    assert "eks.amazonaws.com/role-arn" in account["metadata"]["annotations"]
    for pod in _pods(manifests).values():
        assert pod["spec"]["serviceAccountName"] == account["metadata"]["name"]
        assert pod["spec"]["automountServiceAccountToken"] is False


def test_kubernetes_adds_no_variables_of_its_own(manifests: list[Manifest]) -> None:
    """FILMROLL_WORKER_PORT, made of a Service's name, would keep every pod from starting."""
    assert all(pod["spec"]["enableServiceLinks"] is False for pod in _pods(manifests).values())


def test_settings_hold_for_every_pod(
    manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {f"FILMROLL_{name.upper()}" for name in Settings.model_fields}
    for name, pod in _pods(manifests).items():
        variables = dict(_variables(_container(pod), manifests))
        assert {each for each in variables if each.startswith("FILMROLL_")} <= known
        assert variables["FILMROLL_INTERNAL_TOKEN"] == "filmroll-internal/token"
        with monkeypatch.context() as patch:
            for variable in known:
                patch.delenv(variable, raising=False)
            for variable, value in variables.items():
                patch.setenv(variable, value)
            settings = load(clean_environment() | variables)
        assert all(settings.place(store) for store in ("blobs", "catalog", "queue"))
        engines = {"filmroll-worker": 2}
        assert settings.engines == engines.get(name, Settings.model_fields["engines"].default)


def _variables(container: Manifest, manifests: list[Manifest]) -> Iterator[tuple[str, str]]:
    """Yield what the container would find, with the Secret's names in place of its value."""
    for source in container["envFrom"]:
        yield from _of(manifests, "ConfigMap")[source["configMapRef"]["name"]]["data"].items()
    for variable in container["env"]:
        origin = variable["valueFrom"]
        if "secretKeyRef" in origin:
            yield (
                variable["name"],
                f"{origin['secretKeyRef']['name']}/{origin['secretKeyRef']['key']}",
            )
        else:
            what, _, resource = origin["resourceFieldRef"]["resource"].partition(".")
            yield variable["name"], container["resources"][what][resource]
