// Package accounts is about people and how they prove who they are: sign up,
// log in, second factors, browser sessions, API tokens, and what is done by
// letter.
//
// Signing up makes a user, a tenant with its keys, roles and graph, and the
// user its owner; where the service sends mail, only once the address has proved
// itself. Logging in gives a browser a session cookie and a program an API token.
// Of these, and of links in letters, only SHA-256 of the secret is stored (the
// secrets have 160 random bits and more, so a slow hash adds nothing); of
// passwords argon2id; the secrets of authenticator apps are wrapped by the master
// key.
//
// A wrong e-mail address and a wrong password get the same answer after the
// same work, and nothing that a stranger may ask tells whether an address has an
// account. How tries are limited without a stranger locking anybody out stands in
// tries.go. Who belongs to a tenant is package members, single sign-on package
// sso.
package accounts
