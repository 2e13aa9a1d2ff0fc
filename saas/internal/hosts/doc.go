// Package hosts shows the enrolled hosts of a tenant: the list, one host with
// its facts, services, packages, network, dependencies and findings, and retires
// a host.
//
// What a host is like is read from its current facts; who depends on whom from
// the graph, which spans hosts. A retired host keeps its row and its history;
// its facts and what they said in the graph go, and its relays refuse its key.
package hosts
