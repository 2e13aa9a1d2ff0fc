package collect

import (
	"testing"

	"assimilation/discovery/internal/netlab"
)

// newLab is a namespace with links and routes of every sort that the smallest
// kernels have:
//
//	near --- far, in another namespace
//	br0  --- tap0: a private bridge
//	br1  --- vx0, a VXLAN: a bridge that leads out
func newLab(t *testing.T) *netlab.Net {
	lab, far := netlab.New(t), netlab.New(t)
	lab.IP(t, "link add near address 02:00:00:00:00:01 type veth peer name far netns "+far.PID())
	far.IP(t, "link set far up", "addr add 10.1.0.2/24 dev far", "addr add fd01::2/64 dev far nodad")
	lab.IP(t,
		"link set near up mtu 1400",
		"addr add 10.1.0.1/24 dev near",
		"addr add 10.1.0.9/24 dev near valid_lft 3600 preferred_lft 1800",
		"addr add fd01::1/64 dev near nodad",
		"addr add 10.9.0.1 peer 10.9.0.2/32 dev near scope link",
		"link add br0 address 02:00:00:00:00:02 type bridge",
		"tuntap add tap0 mode tap",
		"link set tap0 address 02:00:00:00:00:03 master br0",
		"link set br0 up",
		"addr add 172.17.0.1/16 dev br0",
		"link add br1 address 02:00:00:00:00:04 type bridge",
		"link add vx0 address 02:00:00:00:00:07 type vxlan id 5 dstport 4789",
		"link set vx0 master br1",
		"route add default via 10.1.0.2 metric 100",
		"route add 10.50.0.0/16 nexthop via 10.1.0.2 weight 2 nexthop via 10.9.0.2 dev near weight 3",
		"route add blackhole 10.66.0.0/16",
		"route add prohibit 10.67.0.0/16 proto 77",
		"route add 10.70.0.0/16 via inet6 fd01::9 dev near",
		"route add 10.80.0.0/16 dev near table 77",
		"route add 10.81.0.0/16 dev near proto bgp metric 7 src 10.1.0.1",
		"route add 10.82.0.0/16 dev near table 3000",
		"-6 route add default via fd01::2",
		"-6 route add fd50::/16 nexthop via fd01::5 weight 2 nexthop via fd01::6",
		"-6 route add unreachable fd66::/16",
		"nexthop add id 5 via 10.1.0.7 dev near",
		"route add 10.90.0.0/16 nhid 5",
	)
	return lab
}
