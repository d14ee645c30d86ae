"""The templates, deployed by a CloudFormation, and the adapters at work on what it made.

MiniStack makes every resource of these templates, but forgets some of what is said of them: the
lifecycle of a bucket, where dead letters go, the targets of scaling policies. What it forgets is
compared in the templates (test_aws.py), or said to its own API here.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from filmroll.aws import client
from filmroll.blobs.s3 import open_s3
from filmroll.blobs.s3_bucket import lifecycle_rules, prepare_bucket
from filmroll.catalog.dynamodb import DynamoCatalog, open_dynamodb
from filmroll.catalog.dynamodb.schema import definition
from filmroll.model import Lane, new_id, now
from filmroll.place import Place
from filmroll.queues.sqs import create_queues, open_sqs
from filmroll.queues.sqs.calls import Calls
from filmroll.queues.sqs.definitions import dead_name
from filmroll.queues.sqs.queue import SqsQueue
from filmroll.usecases.keys import Keys
from filmroll.wiring.remote import MAX_ATTEMPTS
from tests.contract import records
from tests.deploy.templates import ACCOUNT, REGION, Rights

DEADLINE = 60  # s
SERVICES = ("cloudformation", "ssm", "elbv2", "autoscaling", "s3", "sqs", "dynamodb", "cloudwatch")


class Cloud:
    """MiniStack, as AWS's own client sees it."""

    def __init__(self, endpoint: str) -> None:
        session = botocore.session.get_session()
        self.endpoint = endpoint
        self.of = {
            name: session.create_client(name, region_name=REGION, endpoint_url=endpoint)
            for name in SERVICES
        }

    def deploy(self, stack: str, template: Path) -> None:
        self.of["cloudformation"].create_stack(
            StackName=stack,
            TemplateBody=template.read_text(),
            Capabilities=["CAPABILITY_IAM"],
        )
        deadline = time.monotonic() + DEADLINE
        while self.status(stack) == "CREATE_IN_PROGRESS":
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert self.status(stack) == "CREATE_COMPLETE", self.failures(stack)

    def status(self, stack: str) -> str:
        (found,) = self.of["cloudformation"].describe_stacks(StackName=stack)["Stacks"]
        return found["StackStatus"]

    def failures(self, stack: str) -> list[Any]:
        events = self.of["cloudformation"].describe_stack_events(StackName=stack)["StackEvents"]
        return [event for event in events if "FAILED" in event["ResourceStatus"]]

    def made(self, stack: str) -> dict[str, str]:
        """Return what each logical id of a stack has become."""
        answer = self.of["cloudformation"].describe_stack_resources(StackName=stack)
        return {
            it["LogicalResourceId"]: it["PhysicalResourceId"] for it in answer["StackResources"]
        }

    def place(self, service: str, name: str) -> Place:
        return Place(service=service, name=name, region=REGION, endpoint=self.endpoint)


@pytest.fixture(scope="session")
def cloud(ministack, small) -> Cloud:
    cloud = Cloud(ministack.endpoint)
    # AWS keeps it for everybody; here it has to be put first.
    for parameter in json.loads(small.service.read_text())["Parameters"].values():
        if parameter["Type"].startswith("AWS::SSM"):
            name, value = parameter["Default"], "ami-0123456789abcdef0"
            cloud.of["ssm"].put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
    cloud.deploy("filmroll-stores", small.stores)
    cloud.deploy("filmroll-service", small.service)
    return cloud


@pytest.fixture(scope="session")
def bucket(cloud) -> str:
    return cloud.made("filmroll-stores")["Bucket"]


def test_every_resource_is_made(cloud, small):
    for stack, template in (("stores", small.stores), ("service", small.service)):
        resources = json.loads(template.read_text())["Resources"]
        assert cloud.made(f"filmroll-{stack}").keys() == resources.keys()


def test_the_balancers_lead_where_they_should(cloud):
    elb = cloud.of["elbv2"]
    groups = {it["TargetGroupArn"]: it for it in elb.describe_target_groups()["TargetGroups"]}
    assert {it["HealthCheckPath"] for it in groups.values()} == {"/readyz"}
    found = {}
    for balancer in elb.describe_load_balancers()["LoadBalancers"]:
        arn = balancer["LoadBalancerArn"]
        for listener in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
            rules = elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
            found[balancer["Scheme"]] = {
                _paths(rule): groups[rule["Actions"][0]["TargetGroupArn"]]["Port"] for rule in rules
            }
    assert found == {
        "internet-facing": {("/i", "/i/*"): 8002, (): 8001},
        "internal": {(): 8003},
    }


def _paths(rule):
    return tuple(value for each in rule["Conditions"] for value in each["Values"])


def test_groups_have_policies_to_grow_by_and_a_hook_to_drain_in(cloud):
    scaling = cloud.of["autoscaling"]
    found = {
        it["AutoScalingGroupName"]: (it["MinSize"], it["MaxSize"])
        for it in scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    }
    assert found == {
        "filmroll-upload-api": (2, 10),
        "filmroll-download-api": (2, 20),
        "filmroll-worker": (2, 30),
    }
    for group, count in {"upload-api": 3, "download-api": 3, "worker": 4}.items():
        name = f"filmroll-{group}"
        policies = scaling.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
        assert [it["PolicyType"] for it in policies] == ["TargetTrackingScaling"] * count
        (hook,) = scaling.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
        assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
        assert hook["DefaultResult"] == "CONTINUE"


def test_alarms_are_there(cloud, small):
    alarms = cloud.of["cloudwatch"].describe_alarms()["MetricAlarms"]
    ours = {it["AlarmName"] for it in alarms}
    made = cloud.made("filmroll-service")
    assert {made[id_] for id_ in small.resources("AWS::CloudWatch::Alarm")} <= ours


async def test_the_catalog_works_on_the_table(cloud):
    table = cloud.of["dynamodb"].describe_table(TableName="filmroll")["Table"]
    expected = definition("filmroll")
    for key in ("KeySchema", "AttributeDefinitions"):
        assert table[key] == expected[key]
    indexes = {it["IndexName"]: it for it in table["GlobalSecondaryIndexes"]}
    for index in expected["GlobalSecondaryIndexes"]:
        assert index.items() <= indexes[index["IndexName"]].items()
    async with open_dynamodb(cloud.place("dynamodb", "filmroll")) as catalog:
        await catalog.check()
        image = records.image()
        await catalog.add_image(image, None)
        assert await catalog.get_image(image.id) == image


async def test_jobs_go_through_the_queues(cloud):
    async with open_sqs(cloud.place("sqs", "filmroll")) as queue:
        await queue.check()
        for lane in Lane:
            job = new_id()
            await queue.send(lane, [job])
            (delivery,) = await queue.receive(lane, 1, 30, 5)
            assert delivery.job == job
            await queue.ack([delivery])


async def test_blobs_lie_in_the_bucket(cloud, bucket, tmp_path):
    async with open_s3(cloud.place("s3", bucket), tmp_path) as blobs:
        await blobs.check()


async def test_filmroll_init_changes_nothing_after_a_deployment(cloud, bucket, small):
    (declared,) = small.resources("AWS::S3::Bucket").values()
    rules = [_as_s3_says(rule) for rule in declared["LifecycleConfiguration"]["Rules"]]
    # MiniStack's CloudFormation leaves them out.
    cloud.of["s3"].put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": rules}
    )
    place = cloud.place("s3", bucket)
    async with client(place) as s3:
        assert await prepare_bucket(s3, place)
    kept = cloud.of["s3"].get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert {it["ID"]: it for it in kept} == {it["ID"]: it for it in rules}
    assert all(own in kept for own in lifecycle_rules())
    before = _attributes(cloud)
    async with client(cloud.place("sqs", "filmroll")) as sqs:
        await create_queues(sqs, "filmroll", MAX_ATTEMPTS)
    after = _attributes(cloud)
    for name, attributes in before.items():
        assert after[name] == attributes


def _as_s3_says(rule: Mapping[str, Any]) -> dict[str, Any]:
    said = {
        "ID": rule["Id"],
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    if "ExpirationInDays" in rule:
        said["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "Transitions" in rule:
        said["Transitions"] = [
            {"StorageClass": it["StorageClass"], "Days": it["TransitionInDays"]}
            for it in rule["Transitions"]
        ]
    if abort := rule.get("AbortIncompleteMultipartUpload"):
        said["AbortIncompleteMultipartUpload"] = abort
    return said


def _attributes(cloud) -> dict[str, Any]:
    names = ["VisibilityTimeout", "MessageRetentionPeriod"]
    sqs = cloud.of["sqs"]
    urls = sqs.list_queues(QueueNamePrefix="filmroll-")["QueueUrls"]
    return {
        url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        for url in urls
    }


# Rights: what the adapters ask for is what the roles allow


@contextmanager
def watched(sdk: Any, rights: Rights, asked: set[str]) -> Iterator[None]:
    """Fail for a call that a role's rights do not allow."""

    def judge(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        for action, resource, keys in _needs(model.name, params):
            asked.add(action)
            assert rights.allow(action, resource, keys), (action, resource, keys)

    sdk.meta.events.register("before-parameter-build", judge)
    yield
    sdk.meta.events.unregister("before-parameter-build", judge)


def _needs(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str, set[str]]]:
    if "TableName" in params or "RequestItems" in params:
        resource = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/filmroll"
        if "IndexName" in params:
            resource += f"/index/{params['IndexName']}"
        yield f"dynamodb:{operation}", resource, _keys(params)
    else:
        name = params.get("QueueName") or params["QueueUrl"].rpartition("/")[2]
        # SQS knows rights for single messages, and lets batches pass by them.
        action = operation.removesuffix("Batch")
        yield f"sqs:{action}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", set()


def _keys(params: Mapping[str, Any]) -> set[str]:
    item = params.get("Item") or params.get("Key") or {}
    return {item["pk"]["S"]} if "pk" in item else set()


async def upload_side(catalog, queue):
    image = records.image()
    await catalog.add_image(image, None)
    await catalog.bury_image(image.id, now())
    await queue.send(Lane.BULK, [new_id()])


async def download_side(catalog, queue):  # noqa: ARG001 - it sends nothing
    await Keys(catalog).ensure_signing()
    await catalog.get_image(new_id())
    await catalog.find_access_key("of nobody")
    await catalog.get_presets(["none"])
    await catalog.get_variant(new_id(), "recipe")


async def worker_side(catalog, queue):
    await queue.send(Lane.IO, [new_id()])
    for lane in Lane:
        for delivery in await queue.receive(lane, 10, 30, 0):
            await queue.extend(delivery, 30)
            await queue.ack([delivery])
    await queue.expire_dead(now() + 60)
    await catalog.settle()
    await catalog.due_purges(now(), 10)
    await catalog.expire_jobs(now())


@pytest.mark.parametrize(
    ("role", "work"),
    [("UploadApi", upload_side), ("DownloadApi", download_side), ("Worker", worker_side)],
    ids=["upload", "download", "worker"],
)
async def test_rights_allow_what_the_adapters_ask_for(cloud, small, role, work):
    (id_,) = (it for it in small.resources("AWS::IAM::Role") if role in it)
    rights, asked = Rights(small, id_), set()
    async with (
        client(cloud.place("dynamodb", "filmroll")) as dynamodb,
        client(cloud.place("sqs", "filmroll")) as sqs,
    ):
        catalog, queue = DynamoCatalog(dynamodb, "filmroll"), SqsQueue(sqs, "filmroll")
        await Calls(sqs).send(dead_name("filmroll", Lane.BULK), [new_id()])
        with watched(dynamodb, rights, asked), watched(sqs, rights, asked):
            await catalog.check()
            await queue.check()
            for lane in Lane:
                await queue.depth(lane)
            await work(catalog, queue)
            await catalog.close()
    assert {"dynamodb:PutItem", "sqs:SendMessage"} <= asked
