// Package verdict concludes from evidence what died, and why. It is pure:
// evidence and the time go in, questions to ask and verdicts come out.
//
// # The way of a suspicion
//
//	a watcher misses a host, its session is silent,
//	an order was not acknowledged, a neighbour is in doubt
//	       |
//	       v               heard, or missed by nobody
//	    +-------+ ------------------------------------> forgotten; who alone
//	    | doubt |                                       missed it, was wrong
//	    +-------+ <--- again, while the table below says so
//	       | asked: echoes and connects, a round
//	       v
//	  nobody else was heard meanwhile? --> some others are asked --> all silent:
//	       | no                                                      site cut off
//	       v
//	  two of its domain are silent (500 ms after the first doubt)?
//	       | no       | yes: all members are asked; where two domains of a zone
//	       |          | are dark, some members of each of its domains
//	       v          v
//	    one host    switch down, zone down: four of five, two at least
//	       |          |
//	       +----------+--> out of the rings, asked ever less often
//	                           | heard
//	                           v
//	                          back
//
// Nothing is asked or concluded in the first beats after the start, and after the
// relay was cut off. What witnesses say meanwhile is kept.
//
// # One host
//
// A watcher counts as a witness when it misses the host. It counts as weak when
// it was late itself, when it was refuted, or when it often was wrong before. It
// hears the host when it lives, did not complain, and had a beat's time to do so
// after the first did. It is mute when it is down or in doubt itself, or has
// never heard the host since they are neighbours. Rounds are those of the same
// answer, one after the other; each counts only if somebody else was heard
// meanwhile.
//
//	echo  connect   besides                            rounds  verdict             confidence
//	no    silence   2 witnesses                           1    host down           95
//	no    silence   1 witness, the rest mute              2    host down           80
//	no    silence   2 weak; or all mute                   2    host down           60
//	no    silence   1 weak, the rest mute                 3    host down           50
//	no    silence   no watchers, session silent           2    host down           40
//	no    silence   accused and heard, session silent     3    host down           40
//	no    silence   watchers' packets refused, 0 miss it  2    agent down          60
//	no    taken     2 witnesses                           1    agent unresponsive  95
//	no    taken     1 witness, or refused before          2    agent unresponsive  85
//	no    taken     2 weak                                2    agent unresponsive  75
//	no    taken     weak, mute or session silent          3    agent unresponsive  70
//	no    refused   1 witness                             1    agent down          95
//	no    refused   weak, mute or session silent          2    agent down          80
//	no    no port   watchers' packets refused             1    agent down          60, 70 by two
//	no    no port   2 witnesses                           1    host down           70
//	no    no port   session silent                        3    host down           30
//	yes                                                        none
//	no              a watcher hears it                         none, but for the line above
//
// An order that was not acknowledged counts as a witness. A relay that has nobody
// else to hear says 40 at most.
//
// # Many
//
//	verdict       confidence
//	switch down   95; 75 where it has two hosts; 40 where its switch is a guess by subnet
//	zone down     90; 40 where it rests on such a guess
//	link          90 when both accuse each other; 50 when all watchers accuse one that
//	              does not accuse them. The relay hears both. One alone is only counted
//	site cut off  90; 99 when the relay's own link has no carrier
//
// A verdict that turns out to be part of a greater one within 10 s ends as that,
// and names it as its cause. Hosts found silent within a minute join the greater
// one. When nearly all of them are back it is over; the rest is judged anew, one
// by one.
//
// # Pace
//
// So many hosts are asked in a second as Config.Budget says, suspects before
// members of their domains before those that are known to be down, which get a
// tenth of it. A fifth as many verdicts about single hosts are opened. What waits
// is one entry for each host that is doubted.
package verdict
