# Data that cannot be what they say: the file's name and what is wrong, exit 3.
. "$root/tests/cli/lib.inc"
t data info nope:folder
t data info idx:nothing
t data info nothing.json
t data make glyphs
t data info glyphs --set n_train=5
t data info glyphs --set options.n_train=few
t data info glyphs --set classes='["A","Q"]'
t data info glyphs --set slices='{"round":["8","O"]}'
t data info glyphs --set validation=1.5
t data info glyphs --set seed=first
t doctor --set seed=1 | tail -n 2

make() { # a good small set in ./bad, to be spoilt
	rm -rf bad
	"$nab" data make glyphs --quiet --set options.n_train=200 --set options.n_test=50 --format "${1:-idx}" --output bad >/dev/null
}
make
head -c 1000 bad/train-images-idx3-ubyte >x && mv x bad/train-images-idx3-ubyte
t data info idx:bad
make
echo more >>bad/train-labels-idx1-ubyte
t data info idx:bad
make
printf 'PK\003\004' | dd of=bad/train-images-idx3-ubyte conv=notrunc 2>/dev/null
t data info idx:bad
make
printf '\377\377\377\377' | dd of=bad/train-images-idx3-ubyte bs=1 seek=4 conv=notrunc 2>/dev/null
t data info idx:bad
make
printf '\052' | dd of=bad/train-labels-idx1-ubyte bs=1 seek=30 conv=notrunc 2>/dev/null
t data info idx:bad
make
gzip -n bad/train-images-idx3-ubyte
head -c 5000 bad/train-images-idx3-ubyte.gz >x && mv x bad/train-images-idx3-ubyte.gz
t data info idx:bad
make npy
head -c 60 bad/images.npy >x && mv x bad/images.npy
t data info npy:bad
make png
echo 'not a picture' >bad/train/A/00000.png
t data info png:bad
rm -r bad && mkdir bad
head -c 30730 /dev/zero >bad/data_batch_1.bin
head -c 2000 /dev/zero >bad/test_batch.bin
t data info cifar:bad
{ printf '\012' && head -c 3072 /dev/zero; } >bad/data_batch_1.bin
rm bad/test_batch.bin
t data info cifar:bad
printf 'a,b,label\n1,2,x\n1,2\n' >ragged.csv
t data info csv:ragged.csv
printf 'a,b,label\n1,2,"x\n' >quote.csv
t data info csv:quote.csv
printf 'a,b\n1,x\n2,y\n' >few.csv
t data info csv:few.csv --set options.label=klass
