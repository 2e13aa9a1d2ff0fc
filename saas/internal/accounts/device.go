package accounts

import "strings"

// device says in a few words what a browser calls itself: "Firefox on Linux".
// What it does not know it repeats, cut short.
func device(agent string) string {
	browser := first(agent, "Edg/", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "Chrome/", "Chrome", "Safari/", "Safari", "curl/", "curl", "assim/", "assim", "Go-http-client", "a program")
	system := first(agent, "Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows", "Mac OS X", "macOS", "CrOS", "ChromeOS", "Linux", "Linux", "FreeBSD", "FreeBSD")
	switch {
	case agent == "":
		return "unknown"
	case browser == "" && system == "":
		return strings.ToValidUTF8(agent[:min(len(agent), 40)], "")
	case browser == "":
		return "a browser on " + system
	case system == "":
		return browser
	}
	return browser + " on " + system
}

// first takes pairs of mark and name, and returns the name of the first mark that
// is there: browsers also claim to be those that they want to be like.
func first(agent string, pairs ...string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if strings.Contains(agent, pairs[i]) {
			return pairs[i+1]
		}
	}
	return ""
}
