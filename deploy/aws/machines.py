"""The machines: image, disk, what runs on them."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from deploy.aws.options import Options
from deploy.aws.roles import Deployed

_HERE = Path(__file__).parent
_DISK_GB = 40  # bodies wait on it until S3 has them
_GUARD = "/usr/local/bin/filmroll-guard"


def launch_template(
    stack: Stack,
    role: Deployed,
    *,
    acts_as: iam.Role,
    group: ec2.ISecurityGroup,
    machine: str,
    variables: Mapping[str, str],
    options: Options,
) -> ec2.LaunchTemplate:
    """Make the template of a role's machines; ``variables`` are what boot.sh works with."""
    disk = ec2.BlockDeviceVolume.ebs(
        _DISK_GB, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3
    )
    return ec2.LaunchTemplate(
        stack,
        f"{role.id}Template",
        # Resolved by the deployment: machines that start later get the same image.
        machine_image=ec2.MachineImage.from_ssm_parameter(options.image),
        instance_type=ec2.InstanceType(machine),
        role=acts_as,
        security_group=group,
        user_data=ec2.UserData.custom(user_data(variables)),
        block_devices=[ec2.BlockDevice(device_name="/dev/xvda", volume=disk)],
        require_imdsv2=True,
        http_put_response_hop_limit=1,
    )


def user_data(variables: Mapping[str, str]) -> str:
    """Return the script that a machine runs when it starts."""
    exports = "\n".join(f"export {name}={shlex.quote(it)}" for name, it in variables.items())
    guard = f"cat >{_GUARD} <<'GUARD'\n{(_HERE / 'guard.sh').read_text()}GUARD"
    return f"#!/bin/bash\n{exports}\n{guard}\n{(_HERE / 'boot.sh').read_text()}"
