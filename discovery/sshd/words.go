package sshd

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{Added: "[{version}]", Changed: []string{"sshd {version->}"}},
	{List: "settings", Spelled: keywords, Along: []string{"source"}, Noun: "setting", Added: "sshd {name} set to {values}[ {names}][ ({source})]", Removed: "sshd {name} no longer set (was {values}[ {names}])",
		Changed: []string{"sshd {name} {values->}[ ({source})]", "sshd {name} {names->}[ ({source})]", "sshd {name} now set in {source->}"}},
	{List: "matches", Noun: "match block", Added: "sshd Match {criteria} added", Removed: "sshd Match {criteria} removed"},
	{List: "matches[].settings", Spelled: keywords, Along: []string{"source"}, Noun: "setting", Added: "sshd {name} set to {values}[ {names}] for {of}", Removed: "sshd {name} no longer set for {of}",
		Changed: []string{"sshd {name} {values->} for {of}", "sshd {name} {names->} for {of}"}},
	{List: "host_keys", Noun: "host key", Added: "host key {path} added ({type}, {fingerprint})",
		Removed: "host key {path} removed ({type}, {fingerprint})",
		Changed: []string{"host key {path} {fingerprint->}[, {type->}][, {bits->} bits]"}},
}

// keywords are those of sshd_config(5) as it writes them.
var keywords = []string{
	"AcceptEnv", "AddressFamily", "AllowAgentForwarding", "AllowGroups", "AllowStreamLocalForwarding", "AllowTcpForwarding", "AllowUsers",
	"AuthenticationMethods", "AuthorizedKeysCommand", "AuthorizedKeysCommandUser", "AuthorizedKeysFile", "AuthorizedPrincipalsCommand",
	"AuthorizedPrincipalsCommandUser", "AuthorizedPrincipalsFile", "Banner", "CASignatureAlgorithms", "ChannelTimeout", "ChrootDirectory", "Ciphers",
	"ClientAliveCountMax", "ClientAliveInterval", "Compression", "DebianBanner", "DenyGroups", "DenyUsers", "DisableForwarding", "ExposeAuthInfo",
	"FingerprintHash", "ForceCommand", "GatewayPorts", "GSSAPIAuthentication", "GSSAPICleanupCredentials", "GSSAPIKeyExchange",
	"GSSAPIStrictAcceptorCheck", "GSSAPIStoreCredentialsOnRekey", "HostbasedAcceptedAlgorithms", "HostbasedAuthentication",
	"HostbasedUsesNameFromPacketOnly", "HostCertificate", "HostKey", "HostKeyAgent", "HostKeyAlgorithms", "IgnoreRhosts", "IgnoreUserKnownHosts",
	"IPQoS", "KbdInteractiveAuthentication", "KerberosAuthentication", "KerberosGetAFSToken", "KerberosOrLocalPasswd", "KerberosTicketCleanup",
	"KexAlgorithms", "ListenAddress", "LoginGraceTime", "LogLevel", "LogVerbose", "MACs", "MaxAuthTries", "MaxSessions", "MaxStartups", "ModuliFile",
	"PasswordAuthentication", "PermitEmptyPasswords", "PermitListen", "PermitOpen", "PermitRootLogin", "PermitTTY", "PermitTunnel",
	"PermitUserEnvironment", "PermitUserRC", "PerSourceMaxStartups", "PerSourceNetBlockSize", "PerSourcePenalties", "PidFile", "Port", "PrintLastLog",
	"PrintMotd", "PubkeyAcceptedAlgorithms", "PubkeyAuthOptions", "PubkeyAuthentication", "RekeyLimit", "RequiredRSASize", "RevokedKeys",
	"SecurityKeyProvider", "SetEnv", "StreamLocalBindMask", "StreamLocalBindUnlink", "StrictModes", "Subsystem", "SyslogFacility", "TCPKeepAlive",
	"TrustedUserCAKeys", "UnusedConnectionTimeout", "UseDNS", "UsePAM", "VersionAddendum", "X11DisplayOffset", "X11Forwarding", "X11UseLocalhost",
	"XAuthLocation",
}
