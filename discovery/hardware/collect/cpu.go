package collect

import (
	"slices"
	"strconv"
	"strings"

	kind "assimilation/discovery/hardware"
)

// maxCPUs bounds of how many processors the topology is read.
const maxCPUs = 4096

// notable are the flags that decide what can run or how safely: instruction
// sets that programs are built for, virtualisation, cryptography, protection.
var notable = []string{
	"aes", "amx_tile", "asimd", "atomics", "avx", "avx2", "avx512f", "bmi2", "bti", "crc32", "fma", "lm", "nx", "paca",
	"pclmulqdq", "pmull", "popcnt", "rdrand", "sev", "sev_es", "sev_snp", "sgx", "sha2", "sha_ni", "smap", "smep",
	"sse4_2", "sve", "sve2", "svm", "tdx_guest", "tme", "user_shstk", "vmx",
}

// readCPU reads what /proc/cpuinfo says of the first processor, and how many
// there are. It also reports whether the processor says that it is virtual.
func readCPU(files *reader) (cpu kind.CPU, virtual bool) {
	// Only the beginning: for each processor the kernel may have to ask it for
	// its frequency.
	text, _ := files.text("proc/cpuinfo")
	first, _, _ := strings.Cut(text, "\n\n")
	values := map[string]string{}
	for line := range strings.Lines(first) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			values[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	cpu.Vendor, cpu.Model = clean(values["vendor_id"]), clean(values["model name"])
	if implementer := values["CPU implementer"]; implementer != "" {
		cpu.Vendor, cpu.Model = armName(implementer, values["CPU part"], cpu.Model)
	} else if cpu.Model == "" {
		cpu.Model = clean(values["cpu"]) // POWER
	}
	flags := strings.Fields(values["flags"] + " " + values["Features"])
	for _, flag := range notable {
		if slices.Contains(flags, flag) {
			cpu.Flags = append(cpu.Flags, flag)
		}
	}
	countCPUs(files, &cpu)
	return cpu, slices.Contains(flags, "hypervisor")
}

// countCPUs counts the processors that are present, and of those that are
// switched on the different cores and sockets.
func countCPUs(files *reader, cpu *kind.CPU) {
	const dir = "sys/devices/system/cpu/"
	cpu.Threads = listLength(files.line(dir + "present"))
	cores, sockets := map[string]bool{}, map[string]bool{}
	online := list(files.line(dir + "online"))
	for _, n := range online[:min(len(online), maxCPUs)] {
		topology := dir + "cpu" + strconv.Itoa(n) + "/topology/"
		if siblings := files.line(topology + "thread_siblings_list"); siblings != "" {
			cores[siblings] = true
		}
		if socket := files.line(topology + "physical_package_id"); socket != "" && socket != "-1" {
			sockets[socket] = true
		}
	}
	cpu.Cores, cpu.Sockets = int64(len(cores)), int64(len(sockets))
}

// armName names an ARM processor, which tells numbers only (MIDR_EL1). Where
// the maker or the part is not known here, its number stands for it.
func armName(implementer, part, model string) (vendor, name string) {
	vendor, name = lookUp(armVendors, implementer), model
	if vendor == "" {
		vendor = clean(implementer)
	}
	if name == "" && vendor == "ARM" {
		name = lookUp(armParts, part)
	}
	if name == "" && part != "" {
		name = "part " + clean(part)
	}
	return vendor, name
}

var armVendors = []string{
	"0x41", "ARM", "0x42", "Broadcom", "0x43", "Cavium", "0x46", "Fujitsu", "0x48", "HiSilicon", "0x4e", "NVIDIA",
	"0x50", "APM", "0x51", "Qualcomm", "0x61", "Apple", "0x6d", "Microsoft", "0x70", "Phytium", "0xc0", "Ampere",
}

var armParts = []string{
	"0xd03", "Cortex-A53", "0xd04", "Cortex-A35", "0xd05", "Cortex-A55", "0xd07", "Cortex-A57", "0xd08", "Cortex-A72",
	"0xd09", "Cortex-A73", "0xd0a", "Cortex-A75", "0xd0b", "Cortex-A76", "0xd0c", "Neoverse-N1", "0xd40", "Neoverse-V1",
	"0xd41", "Cortex-A78", "0xd49", "Neoverse-N2", "0xd4a", "Neoverse-E1", "0xd4f", "Neoverse-V2",
}

// lookUp finds the name that stands after a number.
func lookUp(pairs []string, number string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == number {
			return pairs[i+1]
		}
	}
	return ""
}

// readMemory is MemTotal of /proc/meminfo, rounded up.
func readMemory(files *reader) int64 {
	text, _ := files.text("proc/meminfo")
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "MemTotal:" {
			continue
		}
		kib, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || kib < 0 || kib > 1<<50 {
			return 0
		}
		const step = kind.MemoryStep << 10
		return (kib + step - 1) / step * kind.MemoryStep
	}
	return 0
}
