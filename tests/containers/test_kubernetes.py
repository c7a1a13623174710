"""Are the manifests what Kubernetes takes, and do their parts find one another?"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from shared.settings import variable
from tests.support import operators

ROOT = Path(__file__).parents[2] / "deploy" / "kubernetes"
SERVICES = ("registry", "records", "rewards", "transfer")
ROLES = ("api", "agents", "worker")
# What an operator makes: the keys of `jiexu init`, database passwords, the office's directory; and
# what Strimzi, CloudNativePG and cert-manager make.
GIVEN = {
    *(f"{service}-{what}" for service in SERVICES for what in ("keys", "database")),
    "public-keys",
    "directory",
}
# Kinds that another operator brings; Kubernetes itself has no schema of them.
FOREIGN = {"ScaledObject": "keda.sh/v1alpha1", "PodMonitor": "monitoring.coreos.com/v1"}


def documents(text: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(text) if one is not None]


def check(manifest: dict[str, Any]) -> None:
    if manifest["kind"] in FOREIGN:
        assert manifest["apiVersion"] == FOREIGN[manifest["kind"]]
        return
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


FILES = sorted(path.name for path in (ROOT / "service").glob("[!k]*.yaml"))


@pytest.mark.parametrize("name", FILES)
def test_each_file_of_a_service_is_valid(name: str) -> None:
    found = documents((ROOT / "service" / name).read_text("utf-8"))
    assert found
    for manifest in found:
        check(manifest)


def test_a_manifest_that_is_not_valid_is_seen() -> None:
    api = documents((ROOT / "service/api.yaml").read_text("utf-8"))[0]
    api["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        check(api)


@pytest.fixture(scope="module", params=["chongqing", "chengdu"])
def city(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Everything that one overlay applies."""
    if shutil.which("kubectl") is None:
        pytest.skip("not run: there is no kubectl to build the overlays")
    done = subprocess.run(
        ["kubectl", "kustomize", str(ROOT / "overlays" / request.param)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def of_kind(city: list[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in city if one["kind"] in kinds}


def settings_of(city: list[dict[str, Any]]) -> dict[str, str]:
    maps = of_kind(city, "ConfigMap")
    return next(one["data"] for name, one in maps.items() if name.startswith("city-"))


def secrets_of(city: list[dict[str, Any]], service: str) -> set[str]:
    """Its own, and the authorities'; in Chengdu the brokers and the other cities ask for more."""
    found = {f"{service}-keys", f"{service}-database", "city-ca"}
    node = settings_of(city)["JIEXU_NODE"]
    if node == "510100":
        found |= {"city-cluster-ca-cert", f"{node}-{service}"}
        found |= {"transfer-tls"} if service == "transfer" else set()
    return found


@pytest.mark.containers
def test_a_service_takes_the_settings_that_it_is_given(
    city: list[dict[str, Any]],
) -> None:
    """Each variable is one of its own, and names a file that is mounted."""
    known = {
        service: {variable(field) for field in operators.settings_of(service).model_fields}
        for service in SERVICES
    }
    shared = settings_of(city)
    assert shared.keys() <= set().union(*known.values())
    for name, one in of_kind(city, "Deployment", "Job").items():
        service, pod = name.split("-")[0], one["spec"]["template"]["spec"]
        main = pod["containers"][0]
        own = {each["name"]: each["value"] for each in main["env"]}
        assert own.keys() <= known[service] | {"JIEXU_SERVICE"}, name
        places = [each["mountPath"] for each in main["volumeMounts"]]
        files = [value for value in (shared | own).values() if value.startswith("/run/jiexu/")]
        assert all(str(Path(file).parent) in places for file in files), name


@pytest.mark.containers
def test_an_overlay_is_valid_and_whole(city: list[dict[str, Any]]) -> None:
    for manifest in city:
        check(manifest)
    inside = [one for one in city if one["kind"] != "Namespace"]
    assert {one["metadata"]["namespace"] for one in inside} == of_kind(city, "Namespace").keys()
    deployments = of_kind(city, "Deployment")
    assert deployments.keys() == {f"{s}-{role}" for s in SERVICES for role in ROLES}
    assert of_kind(city, "Job").keys() == {f"{s}-provision" for s in SERVICES}
    made = of_kind(city, "ConfigMap").keys()
    for name, one in (deployments | of_kind(city, "Job")).items():
        pod = one["spec"]["template"]["spec"]
        main = pod["containers"][0]
        assert pod["securityContext"]["runAsNonRoot"], name
        for container in (*pod["initContainers"], main):
            assert container["image"].startswith("registry.example/jiexu:"), name
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name
        assert {"name": "JIEXU_SERVICE", "value": name.split("-")[0]} in main["env"]
        service = name.split("-")[0]
        named = {each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each}
        assert named == secrets_of(city, service), name
        mounted = {each["name"] for each in main["volumeMounts"]}
        assert mounted | {"sealed"} == {each["name"] for each in pod["volumes"]}, name
        maps = {each["configMap"]["name"] for each in pod["volumes"] if "configMap" in each}
        maps |= {each["configMapRef"]["name"] for each in main["envFrom"]}
        assert maps <= made | GIVEN, name
    for name, one in deployments.items():
        main = one["spec"]["template"]["spec"]["containers"][0]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= main.keys(), name


@pytest.mark.containers
def test_what_points_at_a_deployment_finds_it(city: list[dict[str, Any]]) -> None:
    deployments = of_kind(city, "Deployment")
    pods = {
        name: one["spec"]["template"]["metadata"]["labels"] for name, one in deployments.items()
    }

    def picked(selector: dict[str, str]) -> list[str]:
        return [name for name, labels in pods.items() if selector.items() <= labels.items()]

    for name, one in deployments.items():
        assert picked(one["spec"]["selector"]["matchLabels"]) == [name]
    for name, one in of_kind(city, "Service").items():
        assert picked(one["spec"]["selector"]) == [name]
        offered = {
            port["name"]
            for port in deployments[name]["spec"]["template"]["spec"]["containers"][0]["ports"]
        }
        assert {port["targetPort"] for port in one["spec"]["ports"]} == offered
    for name, one in of_kind(city, "PodDisruptionBudget").items():
        assert picked(one["spec"]["selector"]["matchLabels"]) == [name]
    scaled = of_kind(city, "HorizontalPodAutoscaler", "ScaledObject")
    for name, one in scaled.items():
        assert one["spec"]["scaleTargetRef"]["name"] == name
        assert name in deployments and "replicas" not in deployments[name]["spec"]
    assert {name for name in deployments if name.endswith("-api")} <= scaled.keys()
    for name, one in of_kind(city, "NetworkPolicy").items():
        service = name.removesuffix("-who-may-ask")
        assert picked(one["spec"]["podSelector"]["matchLabels"]) == [
            name for name in pods if name.startswith(f"{service}-")
        ]
        # Peers of the city are all of its services, not this one alone.
        for rule in (*one["spec"]["ingress"], *one["spec"]["egress"]):
            for peer in rule.get("from", rule.get("to", ())):
                assert "matchLabels" not in peer.get("podSelector", {}), name


@pytest.mark.containers
def test_only_transfer_is_open_to_other_cities(city: list[dict[str, Any]]) -> None:
    faced = {
        name: {port["port"] for rule in one["spec"]["ingress"] for port in rule["ports"]}
        for name, one in of_kind(city, "NetworkPolicy").items()
    }
    assert {name for name, ports in faced.items() if "federation" in ports} == {
        "transfer-who-may-ask"
    }
    node = settings_of(city)["JIEXU_NODE"]
    groups = {
        one["spec"]["triggers"][0]["metadata"]["consumerGroup"]
        for one in of_kind(city, "ScaledObject").values()
    }
    assert groups in (set(), {f"{node}.{service}.faust" for service in SERVICES})
