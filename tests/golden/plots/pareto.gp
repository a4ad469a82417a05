# Made by nab. Draw again with: gnuplot 'pareto.gp'
# Other formats: set terminal svg | pdfcairo | pngcairo | cairolatex, and another ending for the output
set terminal svg size 529,340 dynamic noenhanced font 'Helvetica,12' background rgb 'white'
set output 'pareto.svg'
set encoding utf8
set datafile missing 'NaN'
set border 3 lc rgb '#667085'
set tics nomirror out scale 0.6
set xtics offset 0,0.3
set grid ytics lt 1 lw 0.7 lc rgb '#e4e7ec'
set lmargin at screen 0.1357
set rmargin at screen 0.9714
set bmargin at screen 0.1667
set tmargin at screen 0.9000
set label 1 'parameters' at screen 0.5536, screen 0.0444 center
set label 2 'validation accuracy, % (95 % interval)' at screen 0.0286, screen 0.5333 center rotate by 90
set logscale x
set xrange [2524.94:147769]
set yrange [60.097:102.259]
set xtics ('5k' 5000, '10k' 10000, '20k' 20000, '50k' 50000, '100k' 100000)
set key at screen 0.5536, screen 0.9611 center horizontal maxrows 1 Left reverse samplen 1.5
plot 'pareto.dat' index 2 using 1:2 with steps lw 1.5 lc rgb '#98a2b3' title 'front', \
     'pareto.dat' index 0 using 1:3:(0):($4-$3) with vectors nohead lw 0.8 lc rgb '#802f6db5' notitle, \
     'pareto.dat' index 0 using 1:2 with points pt 7 ps 0.6 lc rgb '#2f6db5' title 'models', \
     'pareto.dat' index 1 using 1:3:(0):($4-$3) with vectors nohead lw 0.8 lc rgb '#80d1480f' notitle, \
     'pareto.dat' index 1 using 1:2 with points pt 5 ps 0.8 lc rgb '#d1480f' title 'baselines', \
     'pareto.dat' index 3 using 1:2:3 with labels center notitle
