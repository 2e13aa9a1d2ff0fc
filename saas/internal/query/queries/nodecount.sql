-- How many vertices of each label the graph has.
-- group graph
-- column label text
-- column count int
SELECT 'Host' AS label, count(*) AS count FROM {Host}
UNION ALL SELECT 'Interface', count(*) FROM {Interface}
UNION ALL SELECT 'Service', count(*) FROM {Service}
UNION ALL SELECT 'NIC', count(*) FROM {NIC}
UNION ALL SELECT 'Address', count(*) FROM {Address}
UNION ALL SELECT 'Subnet', count(*) FROM {Subnet}
UNION ALL SELECT 'Endpoint', count(*) FROM {Endpoint}
UNION ALL SELECT 'OS', count(*) FROM {OS}
UNION ALL SELECT 'PackageSet', count(*) FROM {PackageSet}
UNION ALL SELECT 'Package', count(*) FROM {Package}
UNION ALL SELECT 'Hardware', count(*) FROM {Hardware}
UNION ALL SELECT 'Filesystem', count(*) FROM {Filesystem}
UNION ALL SELECT 'User', count(*) FROM {User}
UNION ALL SELECT 'Switch', count(*) FROM {Switch}
UNION ALL SELECT 'SwitchPort', count(*) FROM {SwitchPort}
UNION ALL SELECT 'Object', count(*) FROM {Object}
UNION ALL SELECT 'Child', count(*) FROM {Child}
UNION ALL SELECT 'Image', count(*) FROM {Image}
UNION ALL SELECT 'Unit', count(*) FROM {Unit}
UNION ALL SELECT 'Certificate', count(*) FROM {Certificate}
UNION ALL SELECT 'FileSet', count(*) FROM {FileSet}
UNION ALL SELECT 'File', count(*) FROM {File}
UNION ALL SELECT 'Disk', count(*) FROM {Disk}
UNION ALL SELECT 'Group', count(*) FROM {Group}
ORDER BY label
