// Package accounts is about people and how they prove who they are: sign up,
// log in, browser sessions, API tokens, members of a tenant.
//
// Signing up makes a user, a tenant with its keys, roles and graph, and the
// user its owner. Logging in gives a browser a session cookie and a program an
// API token. Of both only SHA-256 of the secret is stored (the secrets have 160
// random bits and more, so a slow hash adds nothing); of passwords argon2id.
//
// A wrong e-mail address and a wrong password get the same answer after the
// same work, and tries are limited per address and per account.
package accounts
