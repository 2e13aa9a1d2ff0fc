package cron

import "assimilation/discovery"

// Words is how differences of this kind are told.
var Words = []discovery.Words{
	{List: "entries", Noun: "entry", Added: "cron runs {command} at {schedule}[ as {user}] ({source})",
		Removed: "cron no longer runs {command} at {schedule}[ as {user}] ({source})",
		Renews:  true, Changed: []string{"cron runs {command} at {schedule->}[ as {user}] ({source})"}},
	{List: "scripts", Noun: "script", Added: "cron.{period} runs {name}", Removed: "cron.{period} no longer runs {name}", Changed: []string{"cron.{period} script {name} {off?no longer runs|runs again}"}},
	{List: "once", Noun: "job", Added: "at job {job} waits for {time}", Removed: "at job {job} no longer waits (was for {time})"},
}
