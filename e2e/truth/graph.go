package truth

import "os"

// query asks a named question; rows have more columns than are read here.
func query[Row any](assim, name string, parameters ...string) ([]Row, error) {
	var rows []Row
	err := outputJSON(&rows, assim, append(append([]string{"query", name}, parameters...), "-o", "json")...)
	return rows, err
}

// graphPackages reads the packages of the whole tenant. Those that this host's
// facts do not have count only if it is the tenant's only host: else they may
// be another's.
func graphPackages(assim, host string, r Records) error {
	var hosts []struct{}
	if err := outputJSON(&hosts, assim, "host", "list", "-o", "json"); err != nil {
		return err
	}
	rows, err := query[struct{ Name, Version, Arch string }](assim, "allpackages")
	if err != nil {
		return err
	}
	for _, row := range rows {
		record := packageRecord(row.Name, row.Version, row.Arch)
		if len(hosts) == 1 || r[Packages][record] {
			r.add(GraphPackages, record)
		}
	}
	return nil
}

func graphListeners(assim, host string, r Records) error {
	rows, err := query[struct {
		Protocol, IP, Exe string
		Port              int
	}](assim, "hostipports", "host="+host)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if os.Geteuid() != 0 {
			row.Exe = "" // see owners
		}
		r.add(GraphListeners, listenerRecord(row.Protocol, row.IP, row.Port, row.Exe))
	}
	return nil
}

func graphAddresses(assim, host string, r Records) error {
	var self struct{ Name string }
	if err := outputJSON(&self, assim, "host", "show", host, "-o", "json"); err != nil {
		return err
	}
	rows, err := query[struct {
		Host, Interface, IP string
		Prefix              int64
	}](assim, "allips")
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Host == self.Name {
			r.add(GraphAddresses, addressRecord(row.Interface, row.IP, row.Prefix))
		}
	}
	return nil
}
