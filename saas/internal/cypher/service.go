package cypher

import (
	"assimilation/tenancy/store"
)

// Service is the feature.
type Service struct {
	db    *store.DB
	turns *turns
}

// New makes the feature.
func New(db *store.DB) *Service { return &Service{db: db, turns: newTurns()} }
