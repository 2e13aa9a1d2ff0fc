package languagepackages

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "packages", Noun: "package", Added: "{manager} {name} {version} installed ({place})", Removed: "{manager} {name} {version} removed ({place})",
		Renews: true, Changed: []string{"{manager} {name} {version->} ({place})", "{manager} {name} {version} moved: {place->}"}},
}
