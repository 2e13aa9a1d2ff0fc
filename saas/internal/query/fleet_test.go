package query

import (
	"fmt"
	"strings"
)

// innards is what runs in the fleet's hosts: each has a container with an image and
// an address, a unit, a certificate that its service serves, a program, a disk and a
// group.
var innards = []string{
	verticesSQL("Child", `"name": "child%s", "kind": "container", "state": "running"`), verticesSQL("Image", `"name": "image%s"`),
	verticesSQL("Unit", `"name": "unit%s.service", "stopped": true`), verticesSQL("Certificate", `"subject": "CN=%s", "sha256": "c", "not_after": "2030-01-01T00:00:00Z"`),
	verticesSQL("FileSet", `"of": "%s"`), verticesSQL("File", `"name": "file%s", "path": "/usr/bin/file"`),
	verticesSQL("Disk", `"name": "disk%s"`), verticesSQL("Group", `"name": "group%s"`), verticesSQL("User", `"name": "user%s"`),
	verticesSQL("Filesystem", `"name": "/data%s"`), verticesSQL("Object", `"kind": "x-%s"`),
	edgesSQL("HAS_CHILD", "Host", "Child", 0), edgesSQL("OF_IMAGE", "Child", "Image", 0), edgesSQL("CHILD_ADDRESS", "Child", "Address", 0),
	edgesSQL("CHILD_NIC", "Child", "NIC", 0), edgesSQL("PART_OF", "Child", "Child", 1), edgesSQL("RUNS_IN", "Service", "Child", 0), edgesSQL("HAS_UNIT", "Host", "Unit", 0),
	edgesSQL("STARTED_BY", "Service", "Unit", 0), edgesSQL("HAS_CERTIFICATE", "Host", "Certificate", 0), edgesSQL("SERVES", "Service", "Certificate", 0),
	edgesSQL("HAS_FILES", "Host", "FileSet", 0), edgesSQL("LOADS", "Service", "FileSet", 0), edgesSQL("HOLDS", "FileSet", "File", 0),
	edgesSQL("HAS_DISK", "Host", "Disk", 0), edgesSQL("CARRIES", "Disk", "Disk", 1), edgesSQL("ON_DISK", "Filesystem", "Disk", 0), edgesSQL("MOUNTS", "Host", "Filesystem", 0),
	edgesSQL("HAS_GROUP", "Host", "Group", 0), edgesSQL("HAS_USER", "Host", "User", 0), edgesSQL("MEMBER_OF", "User", "Group", 0), edgesSQL("HAS_OBJECT", "Host", "Object", 0),
}

// verticesSQL makes 2000 vertices; %s in their properties is their number.
func verticesSQL(label, properties string) string {
	properties = strings.ReplaceAll(properties, "%s", "%1$s")
	return fmt.Sprintf(`INSERT INTO {g}.%[1]q (id, properties) SELECT _graphid({%[1]s}, n), format('{"key": "w%%1$s", %[2]s}', n)::agtype FROM generate_series(1, 2000) n`,
		label, properties)
}
