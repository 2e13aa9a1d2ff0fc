// Package history reads a tenant's past: what a host reported, and what the
// graph said, at any time since which the past is held.
//
// Both are kept the same way: as what is, and beside it, for each change, what
// was before. The past of an element is the "before" of its first change after
// the time asked for; without such a change it is what is now. So the cost of
// looking back grows with what changed since, and old rows can go without
// anything that is newer noticing. Time here is the time of effect ("at"), taken
// under the tenant's lock, never a clock of a host or a relay.
//
// Keeper is the housekeeping: partitions in advance, the end of what nobody may
// look at any more, and bodies that nothing refers to.
package history
