package collect

// sensitive are the files that decide who may do what. Those with secrets are
// not among them: a checksum would let a short one be guessed. A path that ends
// in "/" stands for the files of a directory.
var sensitive = []string{
	"/etc/passwd", "/etc/group", "/etc/sudoers", "/etc/sudoers.d/", "/etc/pam.d/", "/etc/security/", "/etc/login.defs", "/etc/securetty", "/etc/shells",
	"/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/", "/etc/ssh/ssh_config", "/root/.ssh/authorized_keys",
	"/etc/hosts", "/etc/hosts.allow", "/etc/hosts.deny", "/etc/nsswitch.conf", "/etc/host.conf",
	"/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d/", "/etc/environment", "/etc/profile", "/etc/profile.d/", "/etc/bash.bashrc",
	"/etc/crontab", "/etc/cron.d/", "/etc/cron.hourly/", "/etc/cron.daily/", "/etc/cron.weekly/", "/etc/cron.monthly/", "/etc/anacrontab", "/etc/rc.local",
	"/etc/fstab", "/etc/inittab", "/etc/sysctl.conf", "/etc/sysctl.d/", "/etc/modprobe.d/", "/etc/modules", "/etc/audit/auditd.conf", "/etc/audit/rules.d/",
	"/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/etc/default/grub", "/etc/apt/sources.list", "/etc/apt/sources.list.d/", "/etc/yum.repos.d/",
	"/usr/bin/su", "/usr/bin/sudo", "/usr/bin/passwd", "/usr/bin/login", "/usr/bin/mount", "/usr/bin/umount", "/usr/bin/newgrp", "/usr/bin/chsh",
	"/usr/bin/chfn", "/usr/bin/gpasswd", "/usr/bin/pkexec", "/usr/bin/crontab", "/usr/bin/bash", "/usr/bin/dash", "/usr/bin/ps", "/usr/bin/ls", "/usr/bin/ss",
	"/usr/sbin/sshd", "/usr/sbin/unix_chkpwd", "/usr/lib/systemd/systemd", "/usr/bin/dpkg", "/usr/bin/rpm", "/usr/bin/apt-get",
}
