package cypher

import (
	"context"

	"github.com/a-h/templ"

	"assimilation/saas/internal/web"
	"assimilation/tenancy/store"
)

// Service is the feature.
type Service struct {
	db    *store.DB
	turns *turns
	// Past is required where people ask.
	Past Asked
}

// Asked remembers what people ask in a browser, and shows what they asked last of
// pages whose addresses begin so.
type Asked interface {
	Remember(ctx context.Context, a web.Actor, address, said string) error
	Recent(ctx context.Context, a web.Actor, prefix string) (templ.Component, error)
}

// New makes the feature.
func New(db *store.DB) *Service { return &Service{db: db, turns: newTurns()} }
