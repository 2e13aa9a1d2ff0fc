package uplink

import (
	"context"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Forward posts records of the stream of another relay of the site, which cannot.
// Their bodies go as they are: only the origin knows what the service holds.
func (s *Service) Forward(ctx context.Context, origin tenancy.RelayID, batch store.Records) (uplink.Ack, error) {
	payload, err := uplink.EncodeBatch(batch.Encoded)
	if err != nil {
		return uplink.Ack{}, err
	}
	answer, err := s.exchange(ctx, "/relay/v1/batch", uplink.Header{
		Purpose: uplink.PurposeBatch, Epoch: batch.Epoch, First: batch.First, Last: batch.Last,
		Prev: batch.Prev[:], Chain: batch.Chain[:], Origin: origin,
	}, payload, requestTime)
	if err != nil {
		return uplink.Ack{}, err
	}
	return uplink.DecodeAck(answer)
}
