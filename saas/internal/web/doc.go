// Package web is how people and programs reach the service over HTTP: one
// ServeMux that carries the REST API (by huma, described at /openapi.json), the
// console's pages, live updates and health, behind one set of middleware.
//
//	request -> access log, metrics, recover -> security headers -> cross-origin check
//	        -> ServeMux -> route: body limit -> authentication -> role -> handler
//
// Nothing is reachable by accident: an API operation whose metadata does not
// come from Needs or Anyone makes Handler return an error, so the program does
// not start; a page cannot be registered without a role unless it says so by
// name (PublicPage).
//
// Errors have one vocabulary, huma's StatusError: the API writes it as problem
// (RFC 9457), a page as an error page. Any other error is a fault of ours: it
// is logged once, here, and the client learns nothing but "500".
package web
