# A relay with an address that looks public, and a service beside it, in a network of their own: unshare -n sh own-services.sh DEPLOY FOLDER
# Prints how many messages of ten came back: from the service, then from another relay; first without the firewall, then with it.
deploy=$1 folder=$2 address=11.22.33.44
chmod 777 "$folder"
ip link set lo up
ip address add $address/32 dev lo
turnutils_peer -L $address -p 5300 & service=$!
options="--listening-ip=$address --relay-ip=$address --realm=turn.example.org --static-auth-secret=secret --userdb=$folder/relay.db --no-tls"
trap 'kill $service $relay' EXIT

# Two clients send five messages each; with -y to each other, each by a relay of its own.
received() {
  timeout 20 turnutils_uclient -u a -W secret -n 5 -m 2 -c "$@" $address 2>&1 \
    | sed -n 's/.*start_mclient: tot_send_msgs=[0-9]*, tot_recv_msgs=\([0-9]*\).*/\1/p'
}
look() {
  sleep 2
  echo "service $(received -e $address -r 5300)"
  echo "relay $(received -y)"
}

setpriv --reuid=3478 --clear-groups turnserver -c "$deploy/coturn/turnserver.conf" $options --pidfile="$folder/one.pid" & relay=$!
look
kill $relay
wait $relay

# Loading it a second time changes nothing.
nft -f "$deploy/coturn/firewall.nft"
"$deploy/coturn/start" $options --pidfile="$folder/two.pid" & relay=$!
look
echo "user $(ps -o uid= -p $relay | tr -d ' ')"
echo "rights $(sed -n 's/^Cap\(Prm\|Eff\):\s*//p' /proc/$relay/status | sort -u)"
kill $relay
wait $relay

# Where the firewall cannot be loaded, nothing starts.
setpriv --bounding-set=-net_admin "$deploy/coturn/start" $options --pidfile="$folder/three.pid" & relay=$!
wait $relay && echo "started" || echo "refused"
