# Runs once, as root, when a machine starts: installs Filmroll unless the image holds it, runs one
# role of it, and says whether that went well. What it works with stands in variables before it.
set -euo pipefail

# Only a deployment waits for this; when the group grows by itself, nobody listens.
tell() { /opt/aws/bin/cfn-signal --exit-code "$1" --stack "$STACK" --resource "$GROUP_ID" --region "$AWS_REGION" || true; }
trap 'tell $?' EXIT

if [ ! -x /opt/filmroll/bin/filmroll ]; then
    dnf install --assumeyes --quiet python3.11
    python3.11 -m venv /opt/filmroll
    /opt/filmroll/bin/pip install --quiet --disable-pip-version-check "$PACKAGE"
fi

id filmroll &>/dev/null || useradd --system --shell /sbin/nologin filmroll
install --directory --mode 700 /etc/filmroll
token=$(aws secretsmanager get-secret-value --secret-id "$SECRET" --query SecretString --output text)
touch /etc/filmroll/settings
chmod 600 /etc/filmroll/settings
env | grep -E '^(FILMROLL_|AWS_REGION=)' >/etc/filmroll/settings
echo "FILMROLL_INTERNAL_TOKEN=$token" >>/etc/filmroll/settings

# KillMode: the engines are the role's to end, once it has drained.
cat >/etc/systemd/system/filmroll.service <<UNIT
[Unit]
Description=Filmroll $ROLE
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0
[Service]
User=filmroll
EnvironmentFile=/etc/filmroll/settings
ExecStart=/opt/filmroll/bin/filmroll $ROLE
Restart=always
RestartSec=2
KillMode=mixed
TimeoutStopSec=$LEAVING
StateDirectory=filmroll
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
[Install]
WantedBy=multi-user.target
UNIT

cat >/etc/systemd/system/filmroll-guard.service <<UNIT
[Unit]
Description=Restarts Filmroll when it hangs, drains it when the machine is to go
After=filmroll.service
[Service]
Environment=AWS_REGION=$AWS_REGION PORT=$FILMROLL_PORT GROUP=$GROUP HOOK=$HOOK
ExecStart=/usr/bin/bash /usr/local/bin/filmroll-guard
Restart=on-failure
RestartSec=5
[Install]
WantedBy=multi-user.target
UNIT

systemctl daemon-reload
systemctl enable --now filmroll.service filmroll-guard.service

for _ in $(seq 60); do
    if curl --silent --fail --max-time 6 --output /dev/null "http://127.0.0.1:$FILMROLL_PORT/readyz"; then
        exit 0
    fi
    sleep 5
done
journalctl --unit filmroll --lines 50 --no-pager
exit 1
