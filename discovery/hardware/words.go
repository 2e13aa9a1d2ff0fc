package hardware

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{Added: "[{machine.vendor} ][{machine.product}, ]{cpu.model}[, {cpu.threads} threads][, {memory_mib} MiB][, guest of {hypervisor}]",
		Changed: []string{"memory {memory_mib->} MiB", "processors {cpu.threads->}", "processor {cpu.model->}", "firmware {machine.firmware_version->}",
			"processor flags: {cpu.flags->}"}},
	{List: "disks", Noun: "disk", Added: "disk {name} added ({bytes:size}[, {model}])", Removed: "disk {name} removed ({bytes:size}[, {model}])", Changed: []string{"disk {name} {bytes:size->}"}},
}
