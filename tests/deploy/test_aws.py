"""The templates: what they say about routing, growth, ageing, rights and secrecy."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import App
from aws_cdk.assertions import Match, Template

from deploy.aws.alarms import AGES
from deploy.aws.groups import WORKER_MACHINES
from deploy.aws.options import Options, Size
from deploy.aws.roles import ROLES
from deploy.aws.scaling import JOBS, PATIENCE
from filmroll.blobs.s3_bucket import lifecycle_rules
from filmroll.catalog.dynamodb.schema import EXPIRY, definition
from filmroll.model import BLOB_ROOTS, Lane
from filmroll.ports import CHECKS
from filmroll.queues.sqs.definitions import define_queues
from filmroll.wiring.remote import MAX_ATTEMPTS
from tests.deploy.templates import ACCOUNT, REGION, Rights, plain

SQS, TABLE = (
    f"arn:aws:sqs:{REGION}:{ACCOUNT}",
    f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/filmroll",
)
IDS = [role.id for role in ROLES]


def read(path) -> Template:
    return Template.from_json(json.loads(path.read_text()))


@pytest.fixture(scope="session")
def service(default) -> Template:
    return read(default.service)


def alone(templates, type_):
    """Return the properties of the only resource of a type."""
    (properties,) = templates.resources(type_).values()
    return properties


def rights(templates, id_) -> Rights:
    return Rights(templates, next(it for it in templates.resources("AWS::IAM::Role") if id_ in it))


# Stores: as the adapters define them


def test_the_table_is_what_the_catalog_defines(default):
    table = alone(default, "AWS::DynamoDB::Table")
    expected = definition("filmroll")
    assert {key: table[key] for key in expected} == expected
    assert table["TimeToLiveSpecification"] == EXPIRY


def test_the_queues_are_what_the_queue_defines(default):
    found = {it["QueueName"]: it for it in default.resources("AWS::SQS::Queue").values()}
    arns = {
        f"<{id_}.Arn>": it["QueueName"] for id_, it in default.resources("AWS::SQS::Queue").items()
    }
    expected = define_queues("filmroll", MAX_ATTEMPTS)
    assert found.keys() == {queue.name for queue in expected}
    for queue in expected:
        properties = dict(plain(found[queue.name]))
        assert properties.pop("QueueName") == queue.name
        redrive = properties.pop("RedrivePolicy", {})
        assert {name: str(it).lower() for name, it in properties.items()} == queue.attributes
        assert arns.get(redrive.get("deadLetterTargetArn")) == queue.dead_letters
        assert redrive.get("maxReceiveCount", 0) == queue.max_attempts


def test_the_bucket_has_the_adapters_rules_and_two_that_save_money(default):
    rules = {
        rule["Id"]: rule
        for rule in alone(default, "AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    }
    for own in lifecycle_rules():
        rule = rules.pop(own["ID"])
        assert rule["Status"] == own["Status"]
        assert rule.get("Prefix", "") == own["Filter"]["Prefix"]
        assert rule.get("ExpirationInDays") == own.get("Expiration", {}).get("Days")
        abort = "AbortIncompleteMultipartUpload"
        assert rule.get(abort) == own.get(abort)
    ages = rules.pop("filmroll-variants"), rules.pop("filmroll-originals")
    assert not rules
    variants, originals = ages
    assert (variants["Prefix"], variants["ExpirationInDays"]) == ("v/", 30)
    assert originals["Prefix"] == "o/"
    assert "ExpirationInDays" not in originals
    assert originals["Transitions"] == [{"StorageClass": "GLACIER_IR", "TransitionInDays": 30}]


def test_what_is_kept_is_encrypted_private_and_outlives_its_stack(default):
    stores = read(default.stores)
    lasting = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    table = {
        "SSESpecification": {"SSEEnabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "DeletionProtectionEnabled": True,
    }
    stores.has_resource("AWS::DynamoDB::Table", lasting | {"Properties": Match.object_like(table)})
    bucket = alone(default, "AWS::S3::Bucket")
    stores.has_resource("AWS::S3::Bucket", lasting)
    stores.has_resource("AWS::S3::BucketPolicy", lasting)
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    for template in default.resources("AWS::EC2::LaunchTemplate").values():
        data = template["LaunchTemplateData"]
        assert all(disk["Ebs"]["Encrypted"] for disk in data["BlockDeviceMappings"])
        assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def test_the_bucket_refuses_what_does_not_come_by_tls(default):
    policy = plain(alone(default, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"])
    for statement in policy:
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        assert statement["Action"] == "s3:*"
        assert statement["Resource"] == ["<Bucket.Arn>", "<Bucket.Arn>/*"]
    assert [statement["Condition"] for statement in policy] == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    ]


# Routing


def test_the_balancer_chooses_by_url(default, service):
    service.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        {
            "Conditions": [
                {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/i", "/i/*"]}}
            ],
            "Actions": [{"Type": "forward", "TargetGroupArn": _ref("BalancersDownloadApi")}],
        },
    )
    listeners = default.resources("AWS::ElasticLoadBalancingV2::Listener")
    leads = {id_: plain(it["DefaultActions"]) for id_, it in listeners.items()}
    (outer,) = (it for id_, it in leads.items() if "OuterPublic" in id_)
    (inner,) = (it for id_, it in leads.items() if "InnerHttp" in id_)
    assert outer[0]["TargetGroupArn"].startswith("<BalancersUploadApi")
    assert inner[0]["TargetGroupArn"].startswith("<BalancersWorker")
    schemes = {
        it["Scheme"]
        for it in default.resources("AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    }
    assert schemes == {"internet-facing", "internal"}


def _ref(prefix):
    return {"Ref": Match.string_like_regexp(f"^{prefix}")}


@pytest.mark.parametrize("role", ROLES, ids=IDS)
def test_targets_are_asked_whether_they_are_ready_and_may_end_what_they_began(default, role):
    (targets,) = (
        it
        for id_, it in default.resources("AWS::ElasticLoadBalancingV2::TargetGroup").items()
        if role.id in id_
    )
    assert (targets["Port"], targets["HealthCheckPath"]) == (role.port, "/readyz")
    attributes = {it["Key"]: it["Value"] for it in targets["TargetGroupAttributes"]}
    assert int(attributes["deregistration_delay.timeout_seconds"]) > role.drain
    (hook,) = (
        it
        for id_, it in default.resources("AWS::AutoScaling::LifecycleHook").items()
        if role.id in id_
    )
    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    assert hook["HeartbeatTimeout"] > 2 * role.drain


def test_https_if_there_is_a_certificate(secure):
    listeners = plain(secure.resources("AWS::ElasticLoadBalancingV2::Listener"))
    public = {it["Port"]: it for id_, it in listeners.items() if "Outer" in id_}
    assert public.keys() == {80, 443}
    assert public[443]["Protocol"] == "HTTPS"
    assert "TLS13" in public[443]["SslPolicy"]
    assert public[443]["Certificates"][0]["CertificateArn"].startswith("arn:aws:acm:")
    assert public[80]["DefaultActions"][0]["RedirectConfig"]["Protocol"] == "HTTPS"


def test_only_the_balancers_are_reached_from_outside(default, secure):
    for templates, ports in ((default, {80}), (secure, {80, 443})):
        groups = plain(templates.resources("AWS::EC2::SecurityGroup"))
        ingress = {
            re.sub(r".*Network|Group.*", "", id_): {
                (
                    rule.get("CidrIp") or rule["SourceSecurityGroupId"].split("Group")[0],
                    rule["FromPort"],
                )
                for rule in it["SecurityGroupIngress"]
            }
            for id_, it in groups.items()
        }
        assert ingress == {
            "Balancer": {("0.0.0.0/0", port) for port in ports},
            "UploadApi": {("<NetworkBalancer", 8001)},
            "DownloadApi": {("<NetworkBalancer", 8002)},
            "InnerBalancer": {("<NetworkUploadApi", 80), ("<NetworkDownloadApi", 80)},
            "Worker": {("<NetworkInnerBalancer", 8003)},
        }


def test_image_bytes_do_not_go_through_nat(default):
    endpoints = plain([*default.resources("AWS::EC2::VPCEndpoint").values()])
    assert {it["ServiceName"] for it in endpoints} == {
        f"com.amazonaws.{REGION}.{service}" for service in ("s3", "dynamodb")
    }
    tables = {f"<{id_}>" for id_ in default.resources("AWS::EC2::RouteTable")}
    assert all(set(it["RouteTableIds"]) == tables for it in endpoints)


# Growth


def policies(templates, group):
    return [
        it["TargetTrackingConfiguration"]
        for it in plain(templates.resources("AWS::AutoScaling::ScalingPolicy")).values()
        if it["AutoScalingGroupName"] == f"<{group}Group>"
        and it["PolicyType"] == "TargetTrackingScaling"
    ]


@pytest.mark.parametrize(
    ("group", "network"), [("UploadApi", "In"), ("DownloadApi", "Out")], ids=["upload", "download"]
)
def test_apis_grow_by_processor_network_and_requests(default, group, network):
    found = {
        it["PredefinedMetricSpecification"]["PredefinedMetricType"]: it
        for it in policies(default, group)
    }
    assert found.keys() == {
        "ASGAverageCPUUtilization",
        f"ASGAverageNetwork{network}",
        "ALBRequestCountPerTarget",
    }
    label = found["ALBRequestCountPerTarget"]["PredefinedMetricSpecification"]["ResourceLabel"]
    assert re.fullmatch(
        rf"<BalancersOuter\w+\.LoadBalancerFullName>/<Balancers{group}\w+\.TargetGroupFullName>",
        label,
    )


def test_workers_grow_by_processor_and_by_the_backlog_of_each(default):
    found = policies(default, "Worker")
    assert [it["TargetValue"] for it in found if "PredefinedMetricSpecification" in it] == [70]
    backlogs = {}
    for it in found:
        if "CustomizedMetricSpecification" in it:
            waiting, workers, ratio = it["CustomizedMetricSpecification"]["Metrics"]
            assert ratio["Expression"] == "waiting / workers"
            assert [each["ReturnData"] for each in (waiting, workers, ratio)] == [
                False,
                False,
                True,
            ]
            assert workers["MetricStat"]["Metric"]["MetricName"] == "GroupInServiceInstances"
            queue = waiting["MetricStat"]["Metric"]
            assert queue["MetricName"] == "ApproximateNumberOfMessagesVisible"
            backlogs[queue["Dimensions"][0]["Value"]] = it["TargetValue"]
    assert backlogs == {f"filmroll-{lane}": JOBS * PATIENCE[lane] for lane in Lane}


def test_workers_are_spot_machines_of_many_kinds(service):
    service.has_resource_properties(
        "AWS::AutoScaling::AutoScalingGroup",
        {
            "AutoScalingGroupName": "filmroll-worker",
            "CapacityRebalance": True,
            "MetricsCollection": [{"Granularity": "1Minute"}],
            "MixedInstancesPolicy": {
                "InstancesDistribution": {
                    "OnDemandBaseCapacity": 1,
                    "OnDemandPercentageAboveBaseCapacity": 0,
                    "SpotAllocationStrategy": "price-capacity-optimized",
                },
                "LaunchTemplate": Match.object_like(
                    {"Overrides": [{"InstanceType": machine} for machine in WORKER_MACHINES]}
                ),
            },
        },
    )


def test_a_deployment_waits_until_machines_are_ready_and_never_has_too_few(default):
    document = json.loads(default.service.read_text())["Resources"]
    for role in ROLES:
        group = document[f"{role.id}Group"]
        least = int(group["Properties"]["MinSize"])
        rolling = group["UpdatePolicy"]["AutoScalingRollingUpdate"]
        assert group["CreationPolicy"]["ResourceSignal"]["Count"] == least
        assert (rolling["WaitOnResourceSignals"], rolling["MinInstancesInService"]) == (True, least)
        assert any("DefaultRoute" in id_ for id_ in group["DependsOn"])


# Rights


@pytest.mark.parametrize("id_", IDS)
def test_rights_name_what_they_are_on(default, id_):
    stars = set()
    for action, resource in rights(default, id_).pairs():
        assert "*" not in action
        if "*" in resource:
            stars.add(re.sub(r"<.*>", "<bucket>", resource))
    prefixes = {f"arn:aws:s3:::<bucket>/{root}*" for root in (*BLOB_ROOTS, CHECKS)}
    name = "autoScalingGroupName/filmroll-"
    stars -= prefixes
    # The middle is an id that AWS makes up.
    (group,) = stars
    assert group.startswith(f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:*:{name}")
    statement = next(it for it in rights(default, id_).statements if "cloudformation" in str(it))
    assert statement["Resource"] == "<AWS::StackId>"


def test_roles_may_do_to_objects_what_their_use_cases_do(default):
    verbs = {"r": "s3:GetObject", "w": "s3:PutObject", "d": "s3:DeleteObject"}
    allowed = {
        id_: {
            root: "".join(
                letter
                for letter, action in verbs.items()
                if any(
                    rights(default, id_).allow(action, resource)
                    for resource in _bucket_keys(default, id_, root)
                )
            )
            for root in ("o/", "v/", "p/", CHECKS, "other/")
        }
        for id_ in IDS
    }
    assert allowed == {
        "UploadApi": {"o/": "rwd", "v/": "d", "p/": "rwd", CHECKS: "rwd", "other/": ""},
        "DownloadApi": {"o/": "r", "v/": "r", "p/": "", CHECKS: "rwd", "other/": ""},
        "Worker": {"o/": "rwd", "v/": "rwd", "p/": "rwd", CHECKS: "rwd", "other/": ""},
    }


def _bucket_keys(templates, id_, root):
    buckets = {it for action, it in rights(templates, id_).pairs() if action == "s3:ListBucket"}
    return [f"{bucket}/{root}ab/abc" for bucket in buckets]


def test_only_who_works_takes_jobs_and_only_who_asks_sends_them(default):
    lane = f"{SQS}:filmroll-bulk"
    dead = f"{lane}-dead"
    may = {
        id_: (
            rights(default, id_).allow("sqs:SendMessage", lane),
            rights(default, id_).allow("sqs:ReceiveMessage", lane),
            rights(default, id_).allow("sqs:DeleteMessage", dead),
        )
        for id_ in IDS
    }
    assert may == {
        "UploadApi": (True, False, False),
        "DownloadApi": (False, False, False),
        "Worker": (True, True, True),
    }


def test_the_download_api_changes_no_record(default):
    download = rights(default, "DownloadApi")
    assert download.allow("dynamodb:GetItem", TABLE, {"image#1"})
    assert not download.allow("dynamodb:PutItem", TABLE, {"image#1"})
    assert not download.allow("dynamodb:BatchWriteItem", TABLE)
    assert rights(default, "UploadApi").allow("dynamodb:PutItem", TABLE, {"image#1"})


@pytest.mark.parametrize("id_", IDS)
def test_the_secret_is_nowhere_in_a_template(default, id_):
    (token,) = default.resources("AWS::SecretsManager::Secret").values()
    assert token["GenerateSecretString"]["PasswordLength"] >= 32
    (secret,) = (it for action, it in rights(default, id_).pairs() if action.startswith("secrets"))
    assert "InternalToken" in secret
    script = plain(alone_of(default, "AWS::EC2::LaunchTemplate", id_))["LaunchTemplateData"][
        "UserData"
    ]
    assert f"export SECRET='{secret}'" in script


def alone_of(templates, type_, id_):
    (found,) = (it for name, it in templates.resources(type_).items() if id_ in name)
    return found


# Watching


def test_there_are_alarms_for_all_that_people_have_to_look_at(secure):
    found = plain(secure.resources("AWS::CloudWatch::Alarm"))
    assert all(len(it["AlarmActions"]) == 1 for it in found.values())
    metrics = {
        (it["MetricName"], it["Dimensions"][-1]["Value"].partition(".")[0].strip("<")): it[
            "Threshold"
        ]
        for it in found.values()
    }
    for lane in Lane:
        assert metrics["ApproximateAgeOfOldestMessage", f"filmroll-{lane}"] == AGES[lane]
        assert metrics["ApproximateNumberOfMessagesVisible", f"filmroll-{lane}-dead"] == 1
    names = [name for name, _ in metrics]
    assert names.count("HTTPCode_ELB_5XX_Count") == 2
    assert names.count("HTTPCode_Target_5XX_Count") == names.count("UnHealthyHostCount") == 3
    assert "5xxErrors" in names
    throttled = [
        tuple(dimension["Value"] for dimension in it["Dimensions"])
        for it in found.values()
        if it["MetricName"] == "WriteThrottleEvents"
    ]
    indexes = [it["IndexName"] for it in definition("filmroll")["GlobalSecondaryIndexes"]]
    assert sorted(map(set, throttled), key=sorted) == sorted(
        [{"filmroll"}, *({"filmroll", index} for index in indexes)], key=sorted
    )
    read(secure.service).has_resource_properties(
        "AWS::SNS::Subscription", {"Protocol": "email", "Endpoint": "alarms@example.com"}
    )
    read(secure.service).resource_count_is("AWS::CloudWatch::Dashboard", 1)


# Choices


def test_every_fault_of_the_context_is_named_at_once():
    given = {"workers": "5", "nat_gateways": "two", "session_manager": "yes"}
    with pytest.raises(ValueError, match="workers: ") as fault:
        Options.of(App(context=given))
    assert [line.partition(":")[0] for line in str(fault.value).splitlines()] == [
        "nat_gateways",
        "workers",
        "session_manager",
    ]
    with pytest.raises(ValueError, match="public_url"):
        Options.of(App(context={"certificate": "arn:aws:acm:…"}))


def test_the_context_is_read_as_the_command_line_gives_it():
    given = {"workers": "1-5", "nat_gateways": "0", "session_manager": "true", "name": "pictures"}
    options = Options.of(App(context=given))
    assert (options.workers, options.nat_gateways) == (Size(1, 5), 0)
    assert (options.session_manager, options.name) == (True, "pictures")


def test_docs_name_every_choice():
    text = (Path(__file__).parents[2] / "docs/aws.md").read_text()
    assert set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) == set(Options.__dataclass_fields__)


def test_cfn_lint_finds_nothing(secure, small):
    lint = Path(sys.executable).parent / "cfn-lint"
    files = [*map(str, secure), str(small.service)]  # all branches of the app are in these
    done = subprocess.run(
        [lint, "--regions", REGION, "--", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
