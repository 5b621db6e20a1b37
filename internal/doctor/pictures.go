package doctor

import (
	"context"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/picture/s3"
)

// checkPictures tries the place of the pictures: the folder, or the bucket.
func checkPictures(ctx context.Context, cfg config.Config) Finding {
	if !cfg.InBucket() {
		return checkFolder("picture folder", cfg.Pictures)
	}
	f := Finding{Check: "picture bucket", Result: OK, Detail: cfg.Pictures + " at " + cfg.S3.Endpoint + " takes and gives pictures"}
	bucket, err := s3.New(cfg.Bucket(cfg.PublicURL + "/pictures"))
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		err = bucket.Ready(ctx)
	}
	if err != nil {
		f.Result, f.Detail, f.Do = Fail, err.Error(), "Check EASEL_PICTURES and the EASEL_S3_ variables"
	}
	return f
}
