package collect

import (
	"cmp"
	"slices"

	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/process"
	kind "assimilation/discovery/sockets"
)

// endpoints gathers the listeners of one poll by service.
type endpoints struct {
	who     map[string]*identity
	listens map[string][]kind.Listen
}

func newEndpoints() *endpoints {
	return &endpoints{map[string]*identity{}, map[string][]kind.Listen{}}
}

func (e *endpoints) listen(who *identity, at []kind.Listen) {
	e.who[who.key] = who
	e.listens[who.key] = append(e.listens[who.key], at...)
}

// maxTexts bounds the services, in bytes of the body, which may have a third more.
const maxTexts = 6 << 20

// facts is the body: the listeners now, and the remembered clients. Services of users
// who have too many are left out, as cut then says.
func (e *endpoints) facts(remembered *clients) (body kind.Facts, cut bool) {
	who := map[string]*identity{}
	connects := map[string][]kind.Connect{}
	for c, s := range remembered.seen {
		who[c.service] = s.who
		connects[c.service] = append(connects[c.service], kind.Connect{
			Protocol: c.protocol, IP: c.remote.Addr().String(), Port: int64(c.remote.Port()), Private: s.private,
		})
	}
	for key, listening := range e.who {
		if len(e.listens[key]) > 0 {
			who[key] = listening
		}
	}
	all := make([]kind.Service, 0, len(who))
	claims := make([]process.Claim, 0, len(who))
	for key, w := range who {
		s := w.service
		s.Listens = sortListens(e.listens[key])
		s.Connects = connects[key]
		order.By(s.Connects, func(a, b *kind.Connect) int {
			return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.IP, b.IP), cmp.Compare(a.Port, b.Port))
		})
		const frame, endpoint = 128, 160 // bytes of a service without its texts, and of an endpoint
		bytes := frame + process.Encoded(s.Argv...) + process.Encoded(s.Name, s.Exe, s.Container) + endpoint*(len(s.Listens)+len(s.Connects))
		all, claims = append(all, s), append(claims, process.Claim{UID: s.UID, Bytes: bytes})
	}
	fits, whole := process.Share(claims, maxTexts)
	body.Services = make([]kind.Service, 0, len(all))
	for i, s := range all {
		if fits[i] {
			body.Services = append(body.Services, s)
		}
	}
	order.By(body.Services, func(a, b *kind.Service) int {
		return cmp.Or(
			cmp.Compare(a.Exe, b.Exe), slices.Compare(a.Argv, b.Argv), cmp.Compare(a.UID, b.UID),
			cmp.Compare(a.GID, b.GID), cmp.Compare(a.Container, b.Container), cmp.Compare(a.Name, b.Name),
		)
	})
	return body, !whole
}

// sortListens sorts and leaves one of each endpoint: the one that was bound to
// the very address rather than to a wildcard.
func sortListens(listens []kind.Listen) []kind.Listen {
	byKey := func(a, b *kind.Listen) int {
		return cmp.Or(
			cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.IP, b.IP),
			cmp.Compare(a.Port, b.Port), cmp.Compare(a.Device, b.Device),
		)
	}
	order.By(listens, func(a, b *kind.Listen) int {
		return cmp.Or(byKey(a, b), cmp.Compare(a.Wildcard, b.Wildcard))
	})
	return slices.CompactFunc(listens, func(a, b kind.Listen) bool { return byKey(&a, &b) == 0 })
}
