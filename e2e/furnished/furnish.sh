#!/usr/bin/env bash
# Puts something of every class into the host, starts its servers, and stays as its
# first process.
#
#   furnish.sh DISK    name of an empty disk, "loop0"
set -euo pipefail

accounts() {
    useradd --create-home --shell /bin/bash --groups sudo ada
    useradd --shell /usr/sbin/nologin --comment "Billing, 3rd floor" billing
    echo 'ada:correct horse' | chpasswd
    useradd open && passwd -q -d open
    groupadd wheel && usermod -aG wheel billing
    cat >/etc/sudoers.d/operators <<'FILE'
User_Alias OPERATORS = ada, %wheel
Cmnd_Alias RESTART = /usr/bin/systemctl restart nginx, /usr/sbin/nginx -s reload
Defaults timestamp_timeout=5
Defaults !lecture
OPERATORS ALL = (root) NOPASSWD: RESTART
billing ALL = (ada : wheel) /usr/bin/id, !/usr/bin/su
FILE
    chmod 440 /etc/sudoers.d/operators
    printf '@wheel - nofile 4096\nada hard nproc 200\n* soft core 0\n' >/etc/security/limits.d/site.conf
    sed -i 's/^PASS_MAX_DAYS.*/PASS_MAX_DAYS 90/' /etc/login.defs
    sed -i 's/^hosts:.*/hosts: files dns [NOTFOUND=return] myhostname # site/' /etc/nsswitch.conf
    printf -- '-w /etc/passwd -p wa -k identity\n-a always,exit -F arch=b64 -S adjtimex -k clock\n' >/etc/audit/rules.d/site.rules
    sed -i 's/^max_log_file = .*/max_log_file = 32/' /etc/audit/auditd.conf
}

schedules() {
    printf 'MAILTO=root\n*/7 * * * * root test -x /usr/bin/true && true\n@reboot billing /usr/bin/true\n' >/etc/cron.d/site
    printf '5 4 * * sun echo hello\n' | crontab -u ada -
    printf '#!/bin/sh\n' >/etc/cron.daily/run && chmod 755 /etc/cron.daily/run
    printf '#!/bin/sh\n' >/etc/cron.daily/off && chmod 644 /etc/cron.daily/off
    echo true | at -q c 'now + 20 days' 2>/dev/null
    cron
    ln -sf /usr/share/zoneinfo/Europe/Berlin /etc/localtime
    printf '0.0 0 0.0\n0\nUTC\n' >/etc/adjtime
    printf 'server ntp1.example.org iburst minpoll 4\nserver 192.0.2.123\n' >>/etc/chrony/chrony.conf
    printf '# by hand\nnameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example.org lab.example.org\noptions timeout:1 edns0\n' >/etc/resolv.conf
}

units() {
    export SYSTEMD_OFFLINE=1
    cat >/etc/systemd/system/site.service <<'FILE'
[Service]
ExecStart=/usr/bin/sleep infinity
[Install]
WantedBy=multi-user.target
Alias=main-site.service
FILE
    mkdir -p /etc/systemd/system/cron.service.d
    printf '[Service]\nNice=5\n' >/etc/systemd/system/cron.service.d/nice.conf
    systemctl -q enable site.service
    systemctl -q disable chrony.service
    systemctl -q mask atd.service
}

files() {
    mkfs.ext4 -q -L homes "$1"
    # What disks hold is known from udev's database.
    /lib/systemd/systemd-udevd --daemon
    udevadm trigger --subsystem-match=block --action=add
    udevadm settle --timeout=30
    mount "$1" /home
    setfacl -m u:ada:rx,m::rx,d:g:wheel:rwx /home
    setfacl -m u:billing:r /etc/fstab 2>/dev/null || { touch /etc/fstab && setfacl -m u:billing:r /etc/fstab; }
    chattr +a /home
    setcap cap_dac_read_search,cap_net_raw=ep /usr/bin/chage
    chmod 4711 /usr/bin/newgrp
    sysctl -q net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1
}

filters() {
    nft -f - <<'FILE'
table inet site {
    set banned { type ipv4_addr; flags constant; elements = { 192.0.2.66, 192.0.2.67 }; }
    set seen { type ipv4_addr; flags dynamic, timeout; timeout 1h; }
    map ports { type inet_service : verdict; flags constant; elements = { 8080 : accept, 8081 : drop }; }
    chain input {
        type filter hook input priority filter; policy accept;
        iifname "lo" accept
        ct state established,related accept comment "answers"
        ip saddr @banned counter drop
        tcp dport { 22, 80, 443 } ct state new limit rate 100/second accept
        tcp dport vmap @ports
        ip protocol udp jump later
        ip6 nexthdr icmpv6 icmpv6 type { echo-request, nd-neighbor-solicit } accept
        log prefix "seen: " level info
    }
    chain later { udp dport 53 return; }
}
table ip addresses {
    chain out { type nat hook postrouting priority srcnat; oifname "eth1" masquerade; ip saddr 192.0.2.0/24 snat to 198.51.100.7; }
}
FILE
    iptables-nft -A INPUT -p tcp --dport 23 -m comment --comment 'no telnet' -j DROP
    iptables-nft -A FORWARD -s 192.0.2.0/24 -m state --state NEW -m limit --limit 5/min -j LOG --log-prefix 'fwd '
    ip6tables-nft -A INPUT -p tcp -m multiport --dports 25,587 -j REJECT
    iptables-legacy -A INPUT -p tcp --dport 24 -j DROP
}

containers() {
    local image=/srv/image
    mkdir -p $image/bin $image/lib64 $image/lib/x86_64-linux-gnu /run/podman
    cp /usr/bin/sleep $image/bin/
    cp /lib/x86_64-linux-gnu/libc.so.6 $image/lib/x86_64-linux-gnu/
    cp /lib64/ld-linux-x86-64.so.2 $image/lib64/
    mkdir -p /etc/containers
    printf '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n' >/etc/containers/storage.conf
    printf '[engine]\ncgroup_manager = "cgroupfs"\n' >/etc/containers/containers.conf
    tar -C $image -c . | podman import --quiet - localhost/site/idle:1 >/dev/null
    podman run --detach --network none --cgroups disabled --security-opt seccomp=unconfined \
        --name idle --label site.team=ledger localhost/site/idle:1 /bin/sleep 100000 >/dev/null
    podman create --network none --name spare localhost/site/idle:1 /bin/sleep 1 >/dev/null
    podman system service --time 0 unix:///run/podman/podman.sock &
    until [ -S /run/podman/podman.sock ]; do sleep 0.1; done
}

servers() {
    cat >>/etc/ssh/sshd_config.d/site.conf <<'FILE'
PermitRootLogin no
PasswordAuthentication no
AllowGroups sudo wheel
MaxAuthTries 3
Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com
Match User ada
    PasswordAuthentication yes
FILE
    ssh-keygen -q -A
    mkdir -p /run/sshd
    /usr/sbin/sshd
    openssl req -batch -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj '/O=Example, Inc./CN=shop.example.org' \
        -addext 'subjectAltName=DNS:shop.example.org,DNS:*.shop.example.org,IP:192.0.2.80' -keyout /etc/ssl/private/shop.key -out /etc/ssl/certs/shop.pem 2>/dev/null
    openssl req -batch -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=ledger' -keyout /etc/ssl/private/ledger.key -out /etc/ssl/certs/ledger.crt 2>/dev/null
    cat >/etc/nginx/sites-enabled/default <<'FILE'
server { listen 80; listen [::]:80; }
server { listen 443 ssl; ssl_certificate /etc/ssl/certs/shop.pem; ssl_certificate_key /etc/ssl/private/shop.key; }
server { listen 8443 ssl; ssl_certificate /etc/ssl/certs/ledger.crt; ssl_certificate_key /etc/ssl/private/ledger.key; }
FILE
    nginx
    # A program that was replaced while it runs.
    cp "$(readlink -f /usr/bin/python3)" /usr/local/bin/ledger
    /usr/local/bin/ledger -m http.server --directory /srv 9000 >/dev/null 2>&1 &
    until ss -Hltn 'sport = 9000' | grep -q .; do sleep 0.1; done
    cp "$(readlink -f /usr/bin/python3)" /usr/local/bin/ledger.new
    mv /usr/local/bin/ledger.new /usr/local/bin/ledger
}

accounts
schedules
units
files "/dev/$1"
filters
containers
servers
echo "the host is furnished"
while :; do sleep 3600 & wait $!; done # wait also buries orphans
