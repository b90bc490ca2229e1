package record

import (
	"context"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Own writes the record of a write that the gateway has made for itself, in the account
// of ctx ([accounting.Own]). The response is nil and err is the error where it was not
// answered. It fails where the write was made, its record is required, and the record
// cannot be stored: with the error that a caller would get.
func (r *Recorder) Own(ctx context.Context, response *pipeline.Response, err error) error {
	call := accounting.From(ctx)
	var answer any
	if response != nil {
		answer = response
	}
	end := outcomeOf(nil)
	if err != nil {
		end = outcomeOf(rpcerror.ToCaller(err))
	}
	if recordErr := r.keep(ctx, call, answer, end); recordErr != nil && err == nil {
		return doneWithoutRecord(call, answer, recordErr)
	}
	return nil
}
