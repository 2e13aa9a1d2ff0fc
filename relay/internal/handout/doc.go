// Package handout gives the hosts of a site what installs a probe there, so that
// they need reach nothing but their relay:
//
//	GET /install.sh           the script, with this relay's address and the checksums in it
//	GET /download/SHA256SUMS  as sha256sum -c wants it
//	GET /download/{file}      assim-probe-linux-amd64, assim-probe.service...
//
// What may be handed out, the service says by SHA-256 in its orders, which the
// site's key signs: so the bytes may come from the service, from a proxy that
// keeps copies, or from a person (Take). They are kept on disk, and handed out
// while the service cannot be reached. A newer list takes the place of an older one
// when all of it is here.
//
// It speaks TLS with a key of its own, for which no authority vouches. A host is
// told the key's hash in the line that it runs, see uplink.Program; the script then
// knows the files by their checksums.
package handout
