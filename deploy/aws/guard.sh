# Runs beside a role, as root. The balancer asks /readyz and only sends requests elsewhere: a store
# that is down must not cost all machines. A process that hangs, /healthz tells from that.
set -uo pipefail

METADATA=${METADATA:-http://169.254.169.254/latest}
PAUSE=${PAUSE:-5}      # s, between two looks
HANGS=6                # times in a row that /healthz fails before a restart
SPREADS=${SPREADS:-10} # s, until no balancer sends anything here any more

metadata() {
    local token
    token=$(curl --silent --fail --max-time 2 --request PUT \
        --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$METADATA/api/token") || return 1
    curl --silent --fail --max-time 2 --header "X-aws-ec2-metadata-token: $token" \
        "$METADATA/meta-data/$1"
}

leaving() {
    [ "$(metadata autoscaling/target-lifecycle-state)" = Terminated ] ||
        metadata spot/instance-action >/dev/null
}

healthy() { curl --silent --fail --max-time 4 --output /dev/null "http://127.0.0.1:$PORT/healthz"; }

failed=0
while sleep "$PAUSE"; do
    if leaving; then
        sleep "$SPREADS"
        systemctl stop filmroll.service
        # Without effect if Spot takes the machine before its group does.
        aws autoscaling complete-lifecycle-action --lifecycle-action-result CONTINUE \
            --lifecycle-hook-name "$HOOK" --auto-scaling-group-name "$GROUP" \
            --instance-id "$(metadata instance-id)" --region "$AWS_REGION"
        exit 0
    fi
    if healthy; then
        failed=0
    elif [ $((failed += 1)) -ge "$HANGS" ]; then
        systemctl restart filmroll.service
        failed=0
    fi
done
