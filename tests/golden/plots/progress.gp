# Made by nab. Draw again with: gnuplot 'progress.gp'
# Other formats: set terminal svg | pdfcairo | pngcairo | cairolatex, and another ending for the output
set terminal svg size 661,246 dynamic noenhanced font 'Helvetica,12' background rgb 'white'
set output 'progress.svg'
set encoding utf8
set datafile missing 'NaN'
set border 3 lc rgb '#667085'
set tics nomirror out scale 0.6
set xtics offset 0,0.3
set grid ytics lt 1 lw 0.7 lc rgb '#e4e7ec'
stats 'progress.dat' index 1 using 1 nooutput
level = STATS_max
set lmargin at screen 0.1086
set rmargin at screen 0.7771
set bmargin at screen 0.2308
set tmargin at screen 0.9385
set multiplot layout 1,2 margins screen 0.1086, screen 0.7771, screen 0.2308, screen 0.9385 spacing screen 0.0400
set offsets 0, 0, graph 0.05, graph 0.02
set key at screen 0.7886, screen 0.9385 left top vertical Left reverse samplen 2 spacing 1.2
set label 1 'candidate' at screen 0.2657, screen 0.0615 center
set label 2 'validation accuracy, %' at screen 0.0229, screen 0.5846 center rotate by 90
set xrange [0:10]
plot 'progress.dat' index 0 using 1:3 with points pt 7 ps 0.5 lc rgb '#98a2b3' title 'candidates', \
     level lw 1.5 dt (6,4) lc rgb '#d1480f' title 'best baseline', \
     'progress.dat' index 0 using 1:4 with steps lw 2 lc rgb '#2f6db5' title 'best so far'
set label 1 'device time, s' at screen 0.6200, screen 0.0615 center
set format y ''
unset label 2
set xrange [0:*]
unset key
plot 'progress.dat' index 0 using 2:3 with points pt 7 ps 0.5 lc rgb '#98a2b3' title 'candidates', \
     level lw 1.5 dt (6,4) lc rgb '#d1480f' title 'best baseline', \
     'progress.dat' index 0 using 2:4 with steps lw 2 lc rgb '#2f6db5' title 'best so far'
unset multiplot
